// After 100 MB were freed, malloc_trim(0) returns pages to the system and returns 1, and the resident set is within 5
// MB of that at the start: with small blocks, large blocks, blocks freed by another thread, blocks of a thread that has
// ended.
#include "tests/process/blocks.h"
#include <malloc.h>

enum { TOTAL = 100 << 20, MOST = TOTAL / 64 };
static const long tolerance = 5 << 20;

static void *blocks[MOST];
static size_t block_bytes, count;
static long start; // resident before the first run

static void *fill(void *arg) {
    count = (size_t)TOTAL / block_bytes;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = keep(malloc(block_bytes));
        EXPECT(blocks[i] != NULL);
        memset(blocks[i], 1, block_bytes);
    }
    return arg;
}

static void *free_all(void *arg) {
    for (size_t i = 0; i < count; i++) free(blocks[(i * 7919) % count]);
    return arg;
}

static void here(void *(*body)(void *)) { body(NULL); }
static void elsewhere(void *(*body)(void *)) { thread_join(thread_start(body, NULL)); }

static void run(size_t bytes, void (*where_to_fill)(void *(*)(void *)), void (*where_to_free)(void *(*)(void *))) {
    block_bytes = bytes;
    where_to_fill(fill);
    long full = rss_bytes();
    where_to_free(free_all);
    long freed = rss_bytes();
    int trimmed = malloc_trim(0);
    long after = rss_bytes();
    int again = malloc_trim(0);
    printf("blocks of %zu: %ld -> %ld -> %ld KiB, malloc_trim %d\n", bytes, start / 1024, full / 1024, after / 1024, trimmed);
    fflush(stdout);
    EXPECT(full - start > (long)TOTAL / 10 * 9);
    EXPECT(trimmed == 0 || trimmed == 1);
    if (!under_mbmalloc()) return; // glibc has given much back before, or keeps an arena's rest
    EXPECT(after - start < tolerance + slack_bytes());
    EXPECT(trimmed == 1 || freed - after < 1 << 20); // else all was given back before
    EXPECT(again == 0);
}

int main(void) {
    test_begin(60);
    memset(blocks, 0, sizeof blocks); // resident before anything is measured
    block_free(block_new(100));
    start = rss_bytes();
    for (size_t bytes = 64; bytes < (size_t)TOTAL; bytes *= 400) {
        run(bytes, here, here);
        run(bytes, elsewhere, here);
        run(bytes, here, elsewhere);
        run(bytes, elsewhere, elsewhere);
    }
    return 0;
}
