// The process enters a sandbox before its second thread starts: memory, futex and clock calls are allowed, and what the
// C library needs to start and end threads. Every other call kills the process. Then main and several threads allocate
// heavily, end, and others start, long enough for a helper thread of the allocator to start, work, end and start again.
#include "tests/process/seccomp_filter.h"
#include "tests/process/seccomp_heavy.h"

enum { THREADS = 3, GENERATIONS = 3 };

static const int allowed[] = {CALLS_OF_ALLOCATOR, CALLS_OF_ENDING, CALLS_OF_STARTING};
static const int allowed_glibc[] = {CALLS_OF_ALLOCATOR, CALLS_OF_ENDING, CALLS_OF_STARTING, CALLS_OF_GLIBC_MALLOC};

static bool enter_sandbox(void) {
    if (under_mbmalloc()) return filter_install(allowed, sizeof allowed / sizeof allowed[0]);
    return filter_install(allowed_glibc, sizeof allowed_glibc / sizeof allowed_glibc[0]);
}

static void wait_a_little(void) {
    struct timespec pause = {0, 300 * 1000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

// A heap that grows with written blocks, and with unwritten ones, asks the system for more than a small one does.
static void grow(void) {
    enum { GROWN = 100, GROWN_BYTES = 1 << 20, LONG_BYTES = 5 << 20 };
    void *blocks[GROWN], *longs[GROWN / 10];
    for (int i = 0; i < GROWN; i++) blocks[i] = block_new(GROWN_BYTES);
    for (int i = 0; i < GROWN / 10; i++) longs[i] = i % 2 == 0 ? block_new(LONG_BYTES) : malloc(LONG_BYTES);
    for (int i = 0; i < GROWN; i++) block_free(blocks[i]);
    for (int i = 0; i < GROWN / 10; i++) i % 2 == 0 ? block_free(longs[i]) : free(longs[i]);
}

static int live(void) {
    deadline(20);
    block_free(block_new(100));
    if (!enter_sandbox()) return TEST_SKIPPED;
    grow();
    for (int generation = 0; generation < GENERATIONS; generation++) {
        pthread_t threads[THREADS];
        for (uintptr_t t = 0; t < THREADS; t++) threads[t] = thread_start(heavy_work, (void *)t);
        heavy_work((void *)99);
        for (int t = 0; t < THREADS; t++) thread_join(threads[t]);
        heavy_free_shared();
        wait_a_little();
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "live") == 0) return live();
    test_begin(40);
    int status = run_self("live");
    if (WIFSIGNALED(status)) say("killed: try MB_TEST_SECCOMP_TRAP=1\n");
    EXPECT(WIFEXITED(status));
    if (WEXITSTATUS(status) == TEST_SKIPPED) puts("SKIP: no seccomp filters here");
    return WEXITSTATUS(status);
}
