// calloc returns zeroed memory at every size, also where the same memory was dirty before: freed by the owner, freed by
// another thread, after malloc_trim, after a realloc moved or shrank a large block, used whole or in a few places.
#include "tests/process/blocks.h"
#include <malloc.h>

enum { MANY = 400 };

static void expect_zero(const unsigned char *p, size_t bytes) {
    EXPECT(p != NULL);
    for (size_t i = 0; i < bytes; i++) EXPECT(p[i] == 0);
}

static void *dirty(size_t bytes) {
    void *p = keep(malloc(bytes));
    EXPECT(p != NULL);
    return memset(p, 0xFF, malloc_usable_size(p));
}

// Several at once, so that more than the last freed block comes back.
static void reuse(size_t bytes, size_t count) {
    unsigned char *p[8];
    for (size_t i = 0; i < count; i++) p[i] = dirty(bytes);
    for (size_t i = 0; i < count; i++) free(p[i]);
    for (size_t i = 0; i < count; i++) {
        p[i] = keep(calloc(1, bytes));
        expect_zero(p[i], bytes);
        memset(p[i], 0xEE, malloc_usable_size(p[i]));
    }
    for (size_t i = 0; i < count; i++) free(p[i]);
}

static void *free_block(void *p) {
    free(p);
    return NULL;
}

static void reuse_after_other_thread(size_t bytes) {
    for (int i = 0; i < 4; i++) thread_join(thread_start(free_block, dirty(bytes)));
    unsigned char *p = keep(calloc(bytes, 1));
    expect_zero(p, bytes);
    free(p);
}

static void reuse_after_trim(size_t bytes) {
    free(dirty(bytes));
    malloc_trim(0);
    unsigned char *p = keep(calloc(1, bytes));
    expect_zero(p, bytes);
    free(p);
}

// A large block that grew or shrank leaves dirty pages behind.
static void reuse_after_realloc(size_t bytes) {
    free(keep(realloc(dirty(bytes), bytes * 3)));
    free(keep(realloc(dirty(bytes * 3), bytes)));
    unsigned char *p = keep(calloc(3, bytes)), *q = keep(calloc(1, bytes));
    expect_zero(p, 3 * bytes);
    expect_zero(q, bytes);
    free(p);
    free(q);
}

static void many_small(size_t bytes) {
    unsigned char *p[MANY];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MANY; i++) {
            p[i] = keep(calloc(1, bytes));
            expect_zero(p[i], bytes);
            memset(p[i], 0xDD, bytes);
        }
        for (size_t i = 0; i < MANY; i++) free(p[(i * 7) % MANY]);
    }
}

// The same block again and again: calloc clears it or returns its pages, depending on how much of it was used.
// (Most rounds look only at what the round before has written: reading a page makes it one in use.)
static void again_and_again(size_t bytes) {
    enum { ROUNDS = 1500, PHASE = 500, PAGE = 4096, WHOLE = 50 };
    for (size_t round = 0, step = PAGE; round < ROUNDS; round++) {
        unsigned char *p = keep(calloc(1, bytes));
        EXPECT(p != NULL && p[bytes - 1] == 0);
        for (size_t i = (round + PAGE - 1) % PAGE; i < bytes; i += step) EXPECT(p[i] == 0);
        if (round % WHOLE == 0) EXPECT(p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0);
        step = round / PHASE == 1 ? PAGE : 64 * PAGE;
        for (size_t i = round % PAGE; i < bytes; i += step) p[i] = 0xCC;
        p[bytes - 1] = 0xCC;
        free(p);
    }
}

int main(void) {
    test_begin(60);
    again_and_again(300000);
    again_and_again(1 << 20);
    for (size_t bytes = 1; bytes <= 3000; bytes++) reuse(bytes, 4);
    for (size_t bytes = 3000; bytes < 6u << 20; bytes += bytes / 6) reuse(bytes, 8);
    for (size_t bytes = 16; bytes < 6u << 20; bytes *= 3) {
        reuse_after_other_thread(bytes);
        reuse_after_trim(bytes);
        reuse_after_realloc(bytes);
    }
    for (size_t bytes = 8; bytes < 3000; bytes += 200) many_small(bytes);
    puts("calloc zeroes");
    return 0;
}
