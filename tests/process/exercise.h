// A short exercise of the whole allocator for programs that test how they were linked or started: every size, realloc,
// calloc, alignment, threads that exchange blocks, a forked child.
#ifndef MB_TESTS_PROCESS_EXERCISE_H
#define MB_TESTS_PROCESS_EXERCISE_H

#include "tests/process/blocks.h"
#include <malloc.h>
#include <stdatomic.h>

enum { EXERCISE_THREADS = 3, EXERCISE_SHARED = 128, EXERCISE_BLOCKS = 2000 };

static _Atomic(void *) exercise_shared[EXERCISE_SHARED];

static inline void exercise_sizes(void) {
    for (size_t bytes = BLOCK_MIN; bytes < 4000000; bytes += bytes / 5 + 1) {
        void *p = block_resize(block_new(bytes), bytes * 2);
        EXPECT(malloc_usable_size(p) >= bytes * 2);
        unsigned char *zero = keep(calloc(2, bytes));
        EXPECT(zero != NULL && zero[0] == 0 && zero[bytes] == 0 && zero[2 * bytes - 1] == 0);
        void *aligned = NULL;
        EXPECT(posix_memalign(&aligned, 1024, bytes) == 0 && (uintptr_t)aligned % 1024 == 0);
        free(zero);
        free(aligned);
        block_free(p);
    }
}

static void *exercise_exchange(void *arg) {
    uint64_t rng = (uint64_t)(uintptr_t)arg + 21;
    for (int i = 0; i < EXERCISE_BLOCKS; i++) {
        size_t slot = (size_t)(random_next(&rng) >> 20) % EXERCISE_SHARED;
        block_free(atomic_exchange(&exercise_shared[slot], block_new(block_random_bytes(&rng))));
    }
    return NULL;
}

static inline void exercise_threads(void) {
    pthread_t threads[EXERCISE_THREADS];
    for (uintptr_t t = 0; t < EXERCISE_THREADS; t++) threads[t] = thread_start(exercise_exchange, (void *)t);
    for (int t = 0; t < EXERCISE_THREADS; t++) thread_join(threads[t]);
}

static inline void exercise_free_shared(void) {
    for (int i = 0; i < EXERCISE_SHARED; i++) block_free(atomic_exchange(&exercise_shared[i], NULL));
}

static inline void exercise_fork(void) {
    pid_t child = fork();
    if (child == 0) {
        alarm(300);
        exercise_threads();
        exercise_free_shared();
        _exit(0);
    }
    expect_child_ok(child);
}

static inline void exercise_all(void) {
    exercise_sizes();
    exercise_threads();
    exercise_fork();
    exercise_free_shared();
    malloc_trim(0);
}

#endif
