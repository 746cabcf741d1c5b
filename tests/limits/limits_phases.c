// 40 MiB stay live while the program moves from one size class to the next. Memory freed by one class must be reused by
// the next, so the peak stays under 120 MiB.
// Usage: limits_phases clean | overlap      (clean: free all, then fill; overlap: replace block by block, in random
// order)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

enum { LIVE_MIB = 40, PEAK_MIB = 120 };

static const size_t phase_sizes[] = {100, 3000, 256, 40000, 520, 1040, 150000, 2100, 4200, 64, 9000, 1000000, 20000, 144};

static void replace_some(struct blocks *old, struct blocks *now, size_t bytes, bool overlap) {
    size_t target = LIVE_MIB * MIB;
    while (now->live_bytes < target) {
        bool room = old->live_bytes + now->live_bytes + bytes <= target;
        if (old->count && (!overlap || !room)) blocks_free_at(old, blocks_random(&old->rng) % old->count);
        else CHECK(blocks_add(now, bytes - blocks_random(&now->rng) % (bytes / 8)), "refused");
    }
    blocks_free_all(old);
}

// The largest RSS so far, as the kernel keeps it.
static size_t peak_bytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * KIB;
}

// With canaries and delayed reuse (MB_TEST_SLACK_KIB is set) the surviving blocks hold more memory.
static size_t overlap_peak(void) { return (getenv("MB_TEST_SLACK_KIB") != NULL ? PEAK_MIB * 3 / 2 : PEAK_MIB) * MIB; }

int main(int argc, char **argv) {
    bool ours = measure_under_mbmalloc(), overlap = argc > 1 && strcmp(argv[1], "overlap") == 0;
    struct blocks sets[2];
    for (int i = 0; i < 2; i++) {
        blocks_init(&sets[i], mem_api_libc(), LIVE_MIB * MIB / 48, (uint64_t)i);
        sets[i].malloc_only = true;
    }
    size_t most_blocks[2] = {0, 0};
    size_t phases = sizeof phase_sizes / sizeof *phase_sizes;
    for (size_t i = 0; i < phases; i++) {
        replace_some(&sets[(i + 1) % 2], &sets[i % 2], phase_sizes[i], overlap);
        if (sets[i % 2].count > most_blocks[i % 2]) most_blocks[i % 2] = sets[i % 2].count;
        printf("phase of %zu bytes: RSS %zu MiB, peak %zu MiB\n", phase_sizes[i], measure_rss_bytes() / MIB, peak_bytes() / MIB);
    }
    for (int i = 0; i < 2; i++) blocks_free_all(&sets[i]);
    size_t tables = (most_blocks[0] + most_blocks[1]) * sizeof(struct block); // the test's own memory
    size_t peak = peak_bytes() - tables;
    printf("peak %zu MiB\n", peak / MIB);
    CHECK(!ours || peak < (overlap ? overlap_peak() : PEAK_MIB * MIB), "peak %zu bytes", peak);
    puts("ok");
    return 0;
}
