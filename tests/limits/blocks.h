// Sets of live blocks, each filled with a pattern of its own, over any allocator with the malloc interface.
// Who: one thread at a time per set. Invariant: a set's own memory comes from mmap, never from the allocator under
// test.
#ifndef MB_TESTS_LIMITS_BLOCKS_H
#define MB_TESTS_LIMITS_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The allocator under test.
struct mem_api {
    void *(*malloc)(size_t bytes);
    void *(*calloc)(size_t count, size_t bytes);
    void *(*realloc)(void *p, size_t bytes);
    void *(*memalign)(size_t align, size_t bytes);
    void (*free)(void *p);
    void (*trim)(void); // gives everything back that is free
    bool ours;          // the library under test, of which more is asked than of the libc's malloc
};
const struct mem_api *mem_api_libc(void); // malloc and friends, whoever provides them
const struct mem_api *mem_api_core(void); // mb_malloc and friends (tests that link the core)

struct block {
    unsigned char *p;
    size_t bytes;
    uint64_t seed;
};
struct blocks {
    const struct mem_api *api;
    struct block *v;
    size_t count, capacity;
    size_t live_bytes; // sum of the requested sizes
    uint64_t rng;
    bool malloc_only; // no calloc, no memalign: where the bytes that a block costs are counted
};

uint64_t blocks_random(uint64_t *state);

// Whether errno, set to 0 before a request that was refused, says what it must.
bool mem_refused_cleanly(const struct mem_api *api);
bool mem_is_zero(const void *p, size_t bytes);

void blocks_init(struct blocks *set, const struct mem_api *api, size_t capacity, uint64_t seed);
// The same over the caller's table: needs no memory, is not dropped.
void blocks_init_in(struct blocks *set, const struct mem_api *api, struct block *table, size_t capacity, uint64_t seed);
void blocks_drop(struct blocks *set); // the (empty) set's own memory

// Allocates (malloc, calloc and memalign in turn, by chance), fills, remembers. False when refused, which must come
// with ENOMEM, or when the set is full (errno is then 0). Checks alignment, and that calloc is zero.
bool blocks_add(struct blocks *set, size_t bytes);

// realloc of block i; false when refused, and then nothing changed. The kept part must have its contents.
bool blocks_resize(struct blocks *set, size_t i, size_t bytes);

void blocks_verify(const struct blocks *set);          // every byte of every block
void blocks_free_at(struct blocks *set, size_t i);     // verifies, frees, keeps errno; the last block takes its place
void blocks_free_all(struct blocks *set);              // in random order

#endif
