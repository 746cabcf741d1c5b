// Random numbers and byte patterns for tests: header only, no allocation, any thread on its own data.
#ifndef MB_TESTS_MODEL_PATTERN_H
#define MB_TESTS_MODEL_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct random {
    uint64_t state;
};

// splitmix64 (Steele, Lea, Flood 2014): every seed is good, 0 included.
static inline uint64_t random_next(struct random *r) {
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// Uniform enough in [0, bound); bound is not 0.
static inline size_t random_below(struct random *r, size_t bound) { return (size_t)(random_next(r) % bound); }

// The pattern: word i is tag + i * STEP. So each word depends on its place, any prefix can be checked alone, and no two
// blocks have the same bytes. (The tests are built with -fno-builtin, where a memcpy of a word would be a call.)
#define PATTERN_STEP UINT64_C(0xd1342543de82ef95)

static inline void pattern_fill(void *p, size_t bytes, uint64_t tag) {
    unsigned char *at = p;
    uint64_t word = tag;
    size_t i = 0;
    for (; i + sizeof word <= bytes; i += sizeof word, word += PATTERN_STEP) __builtin_memcpy(at + i, &word, sizeof word);
    memcpy(at + i, &word, bytes - i);
}

// The offset of the first word that differs from the pattern; `bytes` if none does.
static inline size_t pattern_mismatch(const void *p, size_t bytes, uint64_t tag) {
    const unsigned char *at = p;
    uint64_t word = tag;
    uint64_t found;
    size_t i = 0;
    for (; i + sizeof word <= bytes; i += sizeof word, word += PATTERN_STEP) {
        __builtin_memcpy(&found, at + i, sizeof found);
        if (found != word) return i;
    }
    return memcmp(at + i, &word, bytes - i) == 0 ? bytes : i;
}

// The offset of the first byte that is not zero; `bytes` if there is none.
static inline size_t pattern_nonzero(const void *p, size_t bytes) {
    const unsigned char *at = p;
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != 0) return i;
    return bytes;
}

#endif
