// A realloc that shrinks returns memory: programs that allocate a sufficient block, fill it and shrink it to what they
// need hold at most 1.15 times the memory needed (the C library's malloc: 1.0), plus the margin of free memory that is
// kept for the next requests. Growing and shrinking alternately around any length neither copies nor faults at each
// step.
#include "tests/process/blocks.h"
#include <malloc.h>
#include <sys/resource.h>

static const size_t MIB = 1 << 20;

static void shrunk_blocks_are_small(size_t from, size_t to, size_t count) {
    char **blocks = keep(malloc(count * sizeof *blocks));
    EXPECT(blocks != NULL);
    memset(blocks, 0, count * sizeof *blocks);
    long before = rss_bytes();
    for (size_t i = 0; i < count; i++) {
        char *p = keep(malloc(from));
        EXPECT(p != NULL);
        memset(p, (int)i, from);
        blocks[i] = keep(realloc(p, to));
        EXPECT(blocks[i] != NULL && blocks[i][0] == (char)i && blocks[i][to - 1] == (char)i);
    }
    expect_growth_below(before, (long)(to * count / 100 * 115 + 4 * MIB), "blocks that were shrunk");
    for (size_t i = 0; i < count; i++) free(blocks[i]);
    free(blocks);
    malloc_trim(0);
}

static void parts_from_a_third_up(size_t from, size_t count) {
    for (size_t to = from / 3; to <= from * 7 / 10; to += from / 11) shrunk_blocks_are_small(from, to, count);
}

static long faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

enum { ROUNDS = 400, MOVES_MAX = 8, FAULTS_MAX = 3000 };

// The first rounds may move the block and return its pages.
static void swings(size_t low, size_t high) {
    char *p = keep(malloc(high));
    EXPECT(p != NULL);
    memset(p, 1, high);
    long before = faults();
    unsigned moves = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char *shorter = keep(realloc(p, low));
        char *longer = keep(realloc(shorter, high));
        EXPECT(shorter != NULL && longer != NULL && longer[0] == 1 && longer[low - 1] == 1);
        for (size_t at = low; at < high; at += 4096) longer[at] = 1;
        if (shorter != p) moves++;
        if (longer != shorter) moves++;
        p = longer;
    }
    if (moves > MOVES_MAX || faults() - before > FAULTS_MAX) {
        fprintf(stderr, "between %zu and %zu bytes: %u moves, %ld faults in %d rounds\n", low, high, moves, faults() - before, ROUNDS);
        exit(1);
    }
    free(p);
}

int main(void) {
    test_begin(60);
    if (!under_mbmalloc()) return 0;
    parts_from_a_third_up(100, 100000);
    parts_from_a_third_up(1000, 20000);
    parts_from_a_third_up(4096, 6000);
    if (sysconf(_SC_PAGESIZE) <= 16384) { // large blocks are whole pages
        parts_from_a_third_up(20000, 1200);
        parts_from_a_third_up(60000, 500);
        parts_from_a_third_up(300000, 100);
    }
    parts_from_a_third_up(3 * MIB, 30);
    parts_from_a_third_up(9 * MIB, 20);
    for (size_t high = 64; high <= 4 * MIB; high = high * 5 / 4 + 8) {
        if (high > 32768 && high <= (size_t)sysconf(_SC_PAGESIZE)) continue; // no block between a small one and a page
        swings(high - high / 5, high);
        swings(high <= 32768 ? high * 3 / 5 : high * 5 / 6, high); // a long block gives back a half at each step
        swings(high - 1, high);
        swings(high, high + 1);
    }
    puts("shrunk blocks are small");
    return 0;
}
