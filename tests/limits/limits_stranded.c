// Memory freed by other threads must be returned although its owner never runs again: a producer allocates 400 MB and
// sleeps forever, a consumer frees all of it.
// Usage: limits_stranded wait|trim small|large|mixed fifo|lifo|random none|first|last main|thread
//   wait: it is returned without a call, after 1 to 2 s if the processor is free; trim: by the consumer's malloc_trim. none/first/last: the producer frees every 64th block
//   itself (never, before the consumer frees the rest, or after). main/thread: which thread produces; the other one consumes, and if that is
//   not the main thread it has never allocated a block.
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

enum { FILL_MIB = 400, LEFT_MIB = 30, WAIT_MS = 60000, OWN_EVERY = 64, MOST_BLOCKS = 1 << 20 };

static void **table;
static size_t count;
static const char *sizes, *order, *own;
static bool ours;
static sem_t produced, consumed, producer_done;

static size_t next_size(uint64_t *rng) {
    bool large = strcmp(sizes, "large") == 0 || (strcmp(sizes, "mixed") == 0 && blocks_random(rng) % 256 == 0);
    return large ? 32 * KIB + blocks_random(rng) % (2 * MIB) : 64 + blocks_random(rng) % 961;
}

static void free_at(size_t i) {
    free(table[i]);
    table[i] = NULL;
}

static void free_own(void) {
    for (size_t i = 0; i < count; i += OWN_EVERY) free_at(i);
}

static void shuffle(void) {
    uint64_t rng = 7;
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = blocks_random(&rng) % (i + 1);
        void *t = table[i];
        table[i] = table[j];
        table[j] = t;
    }
}

static void *producer(void *arg) {
    uint64_t rng = 99;
    for (size_t bytes = 0; bytes < FILL_MIB * MIB && count < MOST_BLOCKS;) {
        size_t size = next_size(&rng);
        table[count] = malloc(size);
        CHECK(table[count], "refused with %zu bytes live", bytes);
        memset(table[count++], 1, size);
        bytes += size;
    }
    if (strcmp(order, "random") == 0) shuffle();
    if (strcmp(own, "first") == 0) free_own();
    sem_post(&produced);
    sem_wait(&consumed);
    if (strcmp(own, "last") == 0) free_own();
    sem_post(&producer_done);
    for (;;) pause();
    return arg;
}

static bool is_producers(size_t i) { return strcmp(own, "none") != 0 && i % OWN_EVERY == 0; }

// Frees all blocks but the producer's.
static void consume(void) {
    for (size_t k = 0; k < count; k++) {
        size_t i = strcmp(order, "lifo") == 0 ? count - 1 - k : k;
        if (!is_producers(i)) free_at(i);
    }
}

static size_t rss_at_the_end(bool wait) {
    if (wait) return measure_wait_rss(LEFT_MIB * MIB, WAIT_MS);
    CHECK(malloc_trim(0) == 1, "malloc_trim gave nothing back");
    return measure_rss_bytes();
}

// Frees the producer's blocks, checks how much memory stays, and ends the process: the producer sleeps forever.
static void *consumer(void *wait) {
    sem_wait(&produced);
    size_t peak = measure_rss_bytes();
    CHECK(peak > FILL_MIB * MIB * 9 / 10, "only %zu bytes resident", peak);
    consume();
    sem_post(&consumed);
    sem_wait(&producer_done);
    munmap(table, MOST_BLOCKS * sizeof *table);
    uint64_t start = measure_now_ms();
    size_t rss = rss_at_the_end(wait != NULL);
    printf("%zu blocks, RSS %zu MiB -> %zu.%zu MiB after %llu ms\n", count, peak / MIB, rss / MIB, rss % MIB * 10 / MIB,
           (unsigned long long)(measure_now_ms() - start));
    CHECK(!ours || rss < LEFT_MIB * MIB, "%zu bytes stay resident", rss);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    pthread_t thread;
    char *wait = strcmp(argv[1], "wait") == 0 ? argv[1] : NULL;
    bool main_produces = strcmp(argv[5], "main") == 0;
    sizes = argv[2], order = argv[3], own = argv[4];
    ours = measure_under_mbmalloc();
    table = mmap(NULL, MOST_BLOCKS * sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(table != MAP_FAILED, "no table");
    sem_init(&produced, 0, 0);
    sem_init(&consumed, 0, 0);
    sem_init(&producer_done, 0, 0);
    int e = main_produces ? pthread_create(&thread, NULL, consumer, wait) : pthread_create(&thread, NULL, producer, NULL);
    CHECK(e == 0, "no thread");
    if (main_produces)
        producer(NULL);
    else
        consumer(wait);
    return 1;
}
