// A library that allocates is opened and closed 3,000 times (30,000 when MB_TEST_LONG=1), used by main and by a thread:
// no growth.
#include "tests/process/blocks.h"

enum { WARM_UP = 300, ROUNDS = 3000, ROUNDS_LONG = 30000 };
static const long growth_limit = 1024 * 1024;

static void open_and_close(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    EXPECT(library != NULL);
    void *(*work)(void *);
    void *address = dlsym(library, "library_work");
    EXPECT(address != NULL);
    memcpy(&work, &address, sizeof address);
    EXPECT(work(NULL) != NULL);
    thread_join(thread_start(work, NULL));
    EXPECT(dlclose(library) == 0);
    EXPECT(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL); // it did go
}

int main(int argc, char **argv) {
    test_begin(long_run() ? 600 : 60);
    EXPECT(argc == 2);
    for (int i = 0; i < WARM_UP; i++) open_and_close(argv[1]);
    long before = rss_bytes();
    int rounds = long_run() ? ROUNDS_LONG : ROUNDS;
    for (int i = 0; i < rounds; i++) open_and_close(argv[1]);
    expect_growth_below(before, growth_limit, "dlopen and dlclose");
    return 0;
}
