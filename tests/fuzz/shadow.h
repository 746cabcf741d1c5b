// What: interprets a stream of bytes as a stream of operations, and checks the contents of every live block. For the
// fuzz targets.
#ifndef MB_TESTS_FUZZ_SHADOW_H
#define MB_TESTS_FUZZ_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition)                                                                                                                  \
    do {                                                                                                                                   \
        if (!(condition)) {                                                                                                                \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);                                                       \
            abort();                                                                                                                       \
        }                                                                                                                                  \
    } while (0)

struct input {
    const uint8_t *at, *end;
};

static inline uint32_t take_bytes(struct input *in, int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value = value << 8 | (in->at < in->end ? *in->at++ : 0);
    return value;
}
static inline bool is_over(const struct input *in) { return in->at >= in->end; }

// Mostly small sizes, sometimes up to 2^24.
static inline size_t take_length(struct input *in) {
    uint32_t order = take_bytes(in, 1) % 25;
    return take_bytes(in, 3) & ((UINT32_C(1) << order) - 1);
}

enum { SLOTS = 256, MOST_BYTES = 64 << 20 };

struct slot {
    unsigned char *p;
    size_t bytes;
    unsigned char mark;
};

// Checks at most 64 places in a block, including both ends.
static inline void mark_block(struct slot *s) {
    size_t step = s->bytes / 62 + 1;
    for (size_t i = 0; i < s->bytes; i += step) s->p[i] = s->mark;
    if (s->bytes > 0) s->p[s->bytes - 1] = s->mark;
}
static inline void check_block(const struct slot *s, size_t old_bytes, size_t bytes) {
    size_t step = old_bytes / 62 + 1;
    for (size_t i = 0; i < bytes; i += step) EXPECT(s->p[i] == s->mark);
    if (bytes == old_bytes && bytes > 0) EXPECT(s->p[bytes - 1] == s->mark);
}

#endif
