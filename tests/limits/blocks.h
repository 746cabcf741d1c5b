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
    void (*trim)(void); // returns all free memory to the system
    bool ours;          // the library under test, for which stricter checks apply than for the C library's malloc
};
const struct mem_api *mem_api_libc(void); // malloc and the other standard names, whichever allocator provides them
const struct mem_api *mem_api_core(void); // mb_malloc and the other prefixed names (tests that link the core)

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
    bool malloc_only; // use malloc alone, not calloc or memalign: for tests that measure how many bytes a block costs
};

uint64_t blocks_random(uint64_t *state);

// Whether errno has the right value after a refused request; set it to 0 before the request.
bool mem_refused_cleanly(const struct mem_api *api);
bool mem_is_zero(const void *p, size_t bytes);

void blocks_init(struct blocks *set, const struct mem_api *api, size_t capacity, uint64_t seed);
// The same with a table supplied by the caller: needs no memory of its own, so there is nothing to drop.
void blocks_init_in(struct blocks *set, const struct mem_api *api, struct block *table, size_t capacity, uint64_t seed);
void blocks_drop(struct blocks *set); // releases the memory of an empty set itself

// Allocates a block (by malloc, calloc or memalign at random), fills it and adds it to the set. False if the request
// was refused, in which case errno must be ENOMEM, or if the set is full (errno is then 0). Checks the alignment, and
// that calloc returns zeros.
bool blocks_add(struct blocks *set, size_t bytes);

// Reallocates block i; false if refused, which must leave the block unchanged. The common part must keep its contents.
bool blocks_resize(struct blocks *set, size_t i, size_t bytes);

void blocks_verify(const struct blocks *set);          // every byte of every block
void blocks_free_at(struct blocks *set, size_t i);     // verifies, frees, keeps errno; the last block takes its place
void blocks_free_all(struct blocks *set);              // in random order

#endif
