// Heavy allocation without any call that a sandbox could forbid: all sizes, realloc, alignment, exchange between
// threads, trimming. It runs after a seccomp filter was installed, so it does not use stdio.
#ifndef MB_TESTS_PROCESS_SECCOMP_HEAVY_H
#define MB_TESTS_PROCESS_SECCOMP_HEAVY_H

#include "tests/process/blocks.h"
#include <malloc.h>
#include <stdatomic.h>

enum { HEAVY_ROUNDS = 9, HEAVY_BLOCKS = 400, HEAVY_SHARED = 256 };

static _Atomic(void *) heavy_shared[HEAVY_SHARED];

static inline void heavy_round(uint64_t *rng, void **mine) {
    for (size_t i = 0; i < HEAVY_BLOCKS; i++) {
        block_free(mine[i]);
        mine[i] = block_new(block_random_bytes(rng));
        size_t slot = (size_t)(random_next(rng) >> 20) % HEAVY_SHARED;
        if (i % 4 == 0) mine[i] = atomic_exchange(&heavy_shared[slot], mine[i]); // freed by another thread later
        if (mine[i] != NULL && i % 5 == 0) mine[i] = block_resize(mine[i], block_random_bytes(rng));
    }
    void *aligned = memalign(65536, 100000);
    void *large = block_new(3 << 20);
    EXPECT(aligned != NULL && (uintptr_t)aligned % 65536 == 0);
    large = block_resize(large, 7 << 20);
    free(aligned);
    block_free(large);
}

static void *heavy_work(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg * 7 + 5;
    void *mine[HEAVY_BLOCKS] = {NULL};
    for (int round = 0; round < HEAVY_ROUNDS; round++) {
        heavy_round(&rng, mine);
        if (round % 4 == 3) malloc_trim(0);
    }
    for (int i = 0; i < HEAVY_BLOCKS; i++) block_free(mine[i]);
    return NULL;
}

static inline void heavy_free_shared(void) {
    for (int i = 0; i < HEAVY_SHARED; i++) block_free(atomic_exchange(&heavy_shared[i], NULL));
}

#endif
