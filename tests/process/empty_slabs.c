// A thread that frees everything keeps few slabs: the current one of each class that it has used, and the newest eight
// empty ones.
#include <mbmalloc.h>

#include <stdlib.h>

#include "tests/process/expect.h"

enum { CLASSES = 18, BYTES = 1 << 20, BLOCKS_MAX = 8192, ROUNDS = 4, KEPT = 8, UNIT_BYTES = 64 << 10 };

static uint64_t free_bytes_of_slabs(void) {
    struct mb_statistics now = {.size = sizeof now};
    EXPECT(mb_statistics_get(&now) == 1);
    return now.free_block_bytes;
}

static void fill_and_free(void) {
    static const size_t sizes[CLASSES] = {128,  200,  512,  640,   1024,  1500,  2100,  3000,  4096,
                                          5000, 6000, 8192, 10000, 12000, 16384, 20000, 24576, 32768};
    static void *volatile blocks[CLASSES][BLOCKS_MAX];
    for (int c = 0; c < CLASSES; c++)
        for (size_t i = 0; i < BYTES / sizes[c]; i++) EXPECT((blocks[c][i] = malloc(sizes[c])) != NULL);
    for (int c = 0; c < CLASSES; c++)
        for (size_t i = 0; i < BYTES / sizes[c]; i++) free(blocks[c][i]);
}

int main(void) {
    uint64_t before = free_bytes_of_slabs();
    for (int round = 0; round < ROUNDS; round++) {
        fill_and_free();
        uint64_t kept = free_bytes_of_slabs() - before;
        EXPECT(kept <= (uint64_t)(CLASSES + KEPT) * UNIT_BYTES);
    }
    return 0;
}
