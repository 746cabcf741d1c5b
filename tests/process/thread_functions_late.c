// Thread functions that come after the library: before glibc 2.34 they are in libpthread, which a plugin may bring. Run
// by thread_functions_late.sh under a copy of the library that does not find them. Threads that end must leave their
// heaps to the next ones all the same.
#include "tests/process/expect.h"

enum { THREADS = 300, BLOCKS = 50 };

static void *work(void *unused) {
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) blocks[i] = keep(malloc(16 + i * 100));
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
    return unused;
}

int main(void) {
    test_begin(60);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, work, NULL) == 0 && pthread_join(thread, NULL) == 0);
    }
    return 0;
}
