// Stamped blocks: each stores its size and is filled with a pattern, so that damage is noticed when the block is freed.
//
// Who: any thread, a forked child; a block is checked by the thread that holds it. Large blocks carry the pattern on
// every 1021st byte and on the last one, to keep the tests fast.
#ifndef MB_TESTS_PROCESS_BLOCKS_H
#define MB_TESTS_PROCESS_BLOCKS_H

#include "tests/process/expect.h"

enum { BLOCK_MIN = 16, BLOCK_DENSE = 4096 };

static inline size_t block_step(size_t bytes) { return bytes <= BLOCK_DENSE ? 1 : 1021; }
static inline unsigned char block_pattern(size_t bytes) { return (unsigned char)(bytes * 7 + 3); }

static inline void block_stamp(void *p, size_t bytes) {
    unsigned char *at = (unsigned char *)p;
    memcpy(at, &bytes, sizeof bytes);
    for (size_t i = sizeof bytes; i < bytes; i += block_step(bytes)) at[i] = block_pattern(bytes);
    at[bytes - 1] = block_pattern(bytes);
}

// Checks the pattern and returns the size that the block was stamped with.
static inline size_t block_check(const void *p) {
    const unsigned char *at = (const unsigned char *)p;
    size_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    EXPECT(bytes >= BLOCK_MIN && bytes < (size_t)1 << 40);
    EXPECT(at[bytes - 1] == block_pattern(bytes));
    for (size_t i = sizeof bytes; i < bytes; i += block_step(bytes)) EXPECT(at[i] == block_pattern(bytes));
    return bytes;
}

static inline void *block_new(size_t bytes) {
    void *p = keep(malloc(bytes));
    EXPECT(p != NULL);
    block_stamp(p, bytes);
    return p;
}

static inline void block_free(void *p) {
    if (p != NULL) block_check(p);
    free(p);
}

// Resizes a block; the contents common to both sizes must survive.
static inline void *block_resize(void *p, size_t bytes) {
    size_t old = block_check(p);
    unsigned char *moved = (unsigned char *)keep(realloc(p, bytes));
    EXPECT(moved != NULL);
    size_t common = old < bytes ? old : bytes;
    for (size_t i = sizeof old; i < common; i += block_step(old)) EXPECT(moved[i] == block_pattern(old));
    block_stamp(moved, bytes);
    return moved;
}

// Mostly small, one in 16 up to 32 KiB, one in 256 up to 400 KiB.
static inline size_t block_random_bytes(uint64_t *rng) {
    uint64_t r = random_next(rng);
    if ((r & 255) == 0) return BLOCK_MIN + (size_t)(r >> 16) % 400000;
    if ((r & 15) == 0) return BLOCK_MIN + (size_t)(r >> 16) % 32768;
    return BLOCK_MIN + (size_t)(r >> 16) % 1024;
}

#endif
