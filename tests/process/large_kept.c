// Large blocks that a thread has freed may be kept for that thread, but not at the expense of others: 32 threads free
// 12 MB each and sleep forever.
// Usage: process_large_kept wait|trim|grow|fork
//   wait: the memory is returned without a call, after 1 to 2 s if the processor is free; trim: by another thread's malloc_trim; grow: another thread that needs as much
//   gets it without growth of the process; fork: a child counts no kept block as live, and can allocate and trim.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <sys/resource.h>

static size_t live_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

enum { THREADS = 32, BLOCKS = 4, BLOCK_BYTES = 3 << 20, ALL = THREADS * BLOCKS };
static const long total = (long)ALL * BLOCK_BYTES;

static pthread_barrier_t freed;
static void *blocks[ALL];

static void *work_and_sleep(void *arg) {
    void *mine[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) mine[i] = block_new(BLOCK_BYTES);
    pthread_barrier_wait(&freed); // all live at once
    for (int i = 0; i < BLOCKS; i++) block_free(mine[i]);
    void *again = block_new(BLOCK_BYTES); // taken out and kept again
    block_free(again);
    pthread_barrier_wait(&freed);
    for (;;) pause();
    return arg;
}

static void take_as_much(void) {
    for (int i = 0; i < ALL; i++) blocks[i] = block_new(BLOCK_BYTES);
    for (int i = 0; i < ALL; i++) block_free(blocks[i]);
}

static long most_resident(void) {
    struct rusage usage;
    EXPECT(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss * 1024;
}

static long rss_after_waiting(long bytes) {
    for (int i = 0; i < 6000 && rss_bytes() > bytes; i++) sleep_ms(10);
    return rss_bytes();
}

static void in_child(size_t live) {
    pid_t child = fork();
    if (child == 0) {
        EXPECT(!under_mbmalloc() || live_bytes() <= live + (1 << 20));
        for (int i = 0; i < BLOCKS; i++) blocks[i] = block_new(BLOCK_BYTES);
        for (int i = 0; i < BLOCKS; i++) block_free(blocks[i]);
        malloc_trim(0);
        EXPECT(!under_mbmalloc() || rss_bytes() < total / 8);
        _exit(0);
    }
    expect_child_ok(child);
}

int main(int argc, char **argv) {
    EXPECT(argc == 2);
    test_begin(60);
    const char *how = argv[1];
    long start = rss_bytes();
    EXPECT(pthread_barrier_init(&freed, NULL, THREADS + 1) == 0);
    size_t live = live_bytes();
    for (int i = 0; i < THREADS; i++) thread_start(work_and_sleep, NULL);
    pthread_barrier_wait(&freed);
    pthread_barrier_wait(&freed);
    if (under_mbmalloc()) EXPECT(live_bytes() <= live + (1 << 20));
    long before = rss_bytes();
    if (strcmp(how, "wait") == 0)
        rss_after_waiting(start + (20 << 20));
    else if (strcmp(how, "trim") == 0)
        malloc_trim(0);
    else if (strcmp(how, "grow") == 0)
        take_as_much();
    else
        in_child(live);
    long after = rss_bytes(), most = most_resident();
    printf("%s: %ld -> %ld -> %ld KiB, at most %ld\n", how, start / 1024, before / 1024, after / 1024, most / 1024);
    fflush(stdout);
    if (!under_mbmalloc()) return 0;
    if (strcmp(how, "wait") == 0) EXPECT(after - start < 20 << 20);
    if (strcmp(how, "trim") == 0) EXPECT(after - start < 5 << 20);
    if (strcmp(how, "grow") == 0) EXPECT(most - start < total + total / 8);
    return 0;
}
