// A peak of 200 MiB is freed; after 10 s of light activity (1,000 rounds, longer on a busy machine) less than a quarter
// of it is still resident.
// Usage: limits_idle small|large one|threads all|most [MIB]
//   MIB: the size of the peak; afterwards one block every 50 ms, 40 of them, which never enters a slow path.
//   one: one thread does everything; threads: four threads allocate, the main thread frees. most: nine of ten blocks are freed, in
//   contiguous runs, so a tenth stays live.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

enum { ROUNDS = 1000, LITTLE_ROUNDS = 40, THREADS = 4, SET_CAPACITY = 1 << 19, RUN = 50000 };

static struct blocks sets[THREADS];
static bool large;
static size_t peak_mib = 200;

static void *fill(void *arg) {
    struct blocks *set = arg;
    size_t share = peak_mib * MIB / THREADS;
    while (set->live_bytes < share) {
        size_t size = large ? 64 * KIB + blocks_random(&set->rng) % (4 * MIB) : 16 + blocks_random(&set->rng) % 1000;
        CHECK(blocks_add(set, size), "refused with %zu bytes live", set->live_bytes);
    }
    return NULL;
}

static void fill_all(bool threads) {
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        blocks_init(&sets[i], mem_api_libc(), SET_CAPACITY, i);
        sets[i].malloc_only = true;
        if (!threads)
            fill(&sets[i]);
        else
            CHECK(pthread_create(&thread[i], NULL, fill, &sets[i]) == 0, "no thread");
    }
    for (size_t i = 0; threads && i < THREADS; i++) pthread_join(thread[i], NULL);
}

// Frees blocks; with `most` the first tenth of each run of blocks stays live. Returns the bytes that stay.
static size_t free_blocks(struct blocks *set, bool most) {
    size_t kept = 0, run = large ? 10 : RUN;
    for (size_t i = 0; i < set->count; i++) {
        if (most && i % run < run / 10)
            kept += set->v[i].bytes;
        else
            free(set->v[i].p);
    }
    set->count = 0;
    blocks_drop(set);
    return kept;
}

// What a mostly idle server does: a few small blocks every 10 ms.
static size_t light_activity(size_t target, size_t blocks, unsigned pause_ms, size_t rounds) {
    size_t rss = measure_rss_bytes();
    for (; rss > target && rounds > 0; rounds--) {
        void *p[20];
        for (size_t i = 0; i < blocks; i++) p[i] = malloc(32 + i * 24);
        measure_sleep_ms(pause_ms);
        for (size_t i = 0; i < blocks; i++) free(p[i]);
        rss = measure_rss_bytes();
    }
    return rss;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    if (argc > 4) peak_mib = strtoul(argv[4], NULL, 10);
    bool ours = measure_under_mbmalloc(), most = strcmp(argv[3], "most") == 0;
    large = strcmp(argv[1], "large") == 0;
    fill_all(strcmp(argv[2], "threads") == 0);
    size_t peak = measure_rss_bytes(), kept = 0;
    CHECK(peak > peak_mib * MIB, "only %zu bytes resident", peak);
    for (size_t i = 0; i < THREADS; i++) kept += free_blocks(&sets[i], most);
    uint64_t start = measure_now_ms();
    size_t target = kept + peak / 4;
    size_t rss = argc > 4 ? light_activity(target, 1, 50, LITTLE_ROUNDS) : light_activity(target, 20, 10, ROUNDS);
    printf("RSS %zu MiB -> %zu MiB (%zu MiB live) after %llu ms\n", peak / MIB, rss / MIB, kept / MIB,
           (unsigned long long)(measure_now_ms() - start));
    CHECK(!ours || rss <= target, "%zu of %zu bytes stay resident, %zu of them live", rss, peak, kept);
    return 0;
}
