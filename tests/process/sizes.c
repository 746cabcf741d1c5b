// The contract of sizes: zero-sized blocks are unique and freeable, realloc(p, 0) frees and returns NULL without a
// leak, every byte up to malloc_usable_size may be written, growth up to it stays in place, 0 for NULL.
#include "tests/process/blocks.h"
#include <malloc.h>

enum { ZERO = 1000, LEAK_ROUNDS = 300000 };

static int compare(const void *a, const void *b) {
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static void *zero_block(int kind) {
    void *p = NULL;
    switch (kind) {
    case 0: return malloc(0);
    case 1: return calloc(0, 8);
    case 2: return calloc(8, 0);
    case 3: return realloc(NULL, 0);
    case 4: return memalign(64, 0);
    case 5: return posix_memalign(&p, 64, 0) == 0 ? p : NULL;
    default: return aligned_alloc(64, 0);
    }
}

static void zero_sizes_are_unique(void) {
    uintptr_t blocks[ZERO];
    for (int i = 0; i < ZERO; i++) {
        blocks[i] = (uintptr_t)keep(zero_block(i % 7));
        EXPECT(blocks[i] != 0);
    }
    qsort(blocks, ZERO, sizeof blocks[0], compare);
    for (int i = 1; i < ZERO; i++) EXPECT(blocks[i] != blocks[i - 1]);
    for (int i = 0; i < ZERO; i++) free((void *)blocks[i]);
}

static void realloc_to_zero_frees(void) {
    for (int i = 0; i < 1000; i++) EXPECT(keep(realloc(keep(malloc(100)), 0)) == NULL);
    long before = rss_bytes();
    for (int i = 0; i < LEAK_ROUNDS; i++) EXPECT(keep(realloc(keep(malloc((size_t)i % 5000)), 0)) == NULL);
    expect_growth_below(before, 2 * 1024 * 1024, "realloc to 0");
}

// Three neighbours are written completely: none may overlap another.
static void usable_bytes_are_usable(size_t bytes) {
    unsigned char *p[3];
    size_t usable[3];
    for (int i = 0; i < 3; i++) {
        p[i] = keep(malloc(bytes));
        EXPECT(p[i] != NULL && (usable[i] = malloc_usable_size(p[i])) >= bytes);
        memset(p[i], i + 1, usable[i]);
    }
    for (int i = 0; i < 3; i++)
        for (size_t b = 0; b < usable[i]; b++) EXPECT(p[i][b] == i + 1);
    for (int i = 0; i < 3; i++) free(p[i]);
}

static void growth_to_usable_stays(size_t bytes) {
    void *p = keep(malloc(bytes));
    size_t usable = malloc_usable_size(p);
    uintptr_t was = (uintptr_t)p;
    p = keep(realloc(p, usable));
    EXPECT((uintptr_t)p == was && malloc_usable_size(p) >= usable);
    free(p);
}

// A block whose usable size is fully written keeps its contents when it grows and shrinks.
static void contents_survive(size_t bytes) {
    void *p = block_new(bytes);
    size_t usable = malloc_usable_size(p);
    block_stamp(p, usable);
    p = block_resize(p, usable + 1);
    p = block_resize(p, usable * 2);
    p = block_resize(p, bytes);
    p = block_resize(p, BLOCK_MIN);
    block_free(p);
}

int main(void) {
    test_begin(60);
    EXPECT(malloc_usable_size(NULL) == 0);
    zero_sizes_are_unique();
    realloc_to_zero_frees();
    for (size_t bytes = 1; bytes < 5u << 20; bytes += bytes / 50 + 1) {
        usable_bytes_are_usable(bytes);
        growth_to_usable_stays(bytes);
    }
    for (size_t bytes = BLOCK_MIN; bytes < 5u << 20; bytes += bytes / 30 + 1) contents_survive(bytes);
    puts("sizes kept");
    return 0;
}
