// More live threads than the allocator examines in one search use large blocks one after the other: memory that each
// keeps for itself is taken from it before the process grows.
#include "tests/process/blocks.h"

enum { THREADS = 150, BLOCKS = 4 };
static const size_t bytes_each = 4000000;
static const long growth_limit = 160L << 20; // kept by all of them it would be 2.4 GB

static pthread_barrier_t stop;

struct turn {
    _Atomic bool done;
};

static void *keeper(void *argument) {
    struct turn *turn = argument;
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) blocks[i] = block_new(bytes_each);
    for (int i = 0; i < BLOCKS; i++) memset(blocks[i], 1, bytes_each);
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
    turn->done = true;
    pthread_barrier_wait(&stop);
    return NULL;
}

int main(void) {
    test_begin(60);
    static struct turn turns[THREADS];
    pthread_t threads[THREADS];
    EXPECT(pthread_barrier_init(&stop, NULL, THREADS + 1) == 0);
    long before = rss_bytes(), most = 0;
    for (int i = 0; i < THREADS; i++) {
        threads[i] = thread_start(keeper, &turns[i]);
        while (!turns[i].done) sleep_ms(1);
        long now = rss_bytes();
        if (now > most) most = now;
    }
    printf("resident %ld KiB, at most %ld KiB\n", before / 1024, most / 1024);
    EXPECT(before > 0 && most - before < growth_limit);
    pthread_barrier_wait(&stop);
    for (int i = 0; i < THREADS; i++) thread_join(threads[i]);
    return 0;
}
