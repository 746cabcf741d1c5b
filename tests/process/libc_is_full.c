// The program uses up limited resources of the C library before it allocates for the first time.
//   process_libc_is_full handlers    fork handlers, so many that the C library allocates for them while it holds its lock
//   process_libc_is_full keys        all keys for thread-specific data: threads that start and end still leave no memory behind
#include "tests/process/blocks.h"

static void nothing(void) {}

static void *use_many_sizes(void *unused) {
    for (size_t bytes = BLOCK_MIN; bytes < 2000; bytes += 100) block_free(block_new(bytes));
    return unused;
}

static void run_threads(int count) {
    for (int i = 0; i < count; i++) thread_join(thread_start(use_many_sizes, NULL));
}

int main(int argc, char **argv) {
    deadline(60);
    if (argc == 2 && argv[1][0] == 'h') {
        for (int i = 0; i < 100; i++) EXPECT(pthread_atfork(nothing, nothing, nothing) == 0);
    } else {
        pthread_key_t key;
        while (pthread_key_create(&key, NULL) == 0) continue;
    }
    test_begin(60);
    run_threads(500);
    long before = rss_bytes();
    run_threads(5000);
    expect_growth_below(before, 1 << 20, "5000 threads that come and go");
    pid_t child = fork();
    if (child == 0) {
        block_free(block_new(1000));
        _exit(0);
    }
    expect_child_ok(child);
    return 0;
}
