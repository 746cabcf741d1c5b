// The workload of scripts/check-hotpath: N pairs of malloc and free, in one of these ways: one block of 64 bytes at a
// time; batches of 100; batches of 1,000 blocks of 512 bytes, which fill eight slabs; a working set of 1,000 blocks of
// random sizes, small (set) or 33 to 60 KB (large), of which a random one is replaced each time; one block of 64 to
// 128 KiB at a time, of a random length (jitter); 1,000 blocks of 64 bytes at a time, freed by another thread. Or
// calls of realloc that grow a large block by 7 bytes each (steps).
// What: nothing but these calls, so that the difference between two runs with different N is the cost of the pairs
// alone.
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64, SLABS_BLOCK_BYTES = 512, BATCH = 100, SET = 1000 };

static void *blocks[SET];

// Allocates and frees `count` blocks, at most SET, oldest first.
static void batch(long count, size_t bytes) {
    for (long i = 0; i < count; i++) {
        blocks[i] = malloc(bytes);
        if (blocks[i] == NULL) abort();
    }
    for (long i = 0; i < count; i++) free(blocks[i]);
}

static uint32_t below(uint32_t n) { // splitmix64
    static uint64_t state = SET;
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(((z ^ z >> 31) >> 32) * n >> 32);
}

// As mixed_size in bench/support/random.h: 8 to 1,023 bytes, small sizes more often; one in 100 has up to 8 KiB and one
// in 1,000 up to 64 KiB.
static size_t any_size(void) {
    uint32_t draw = below(1000), one = below(7), other = below(7);
    if (draw == 0) return 8192 + below(57344);
    if (draw <= 10) return 1024 + below(7168);
    uint32_t bits = 3 + (one < other ? one : other);
    return (1u << bits) + below(1u << bits);
}

static size_t large_size(void) { return 33000 + below(27000); }

static void replace(void **block, size_t (*size)(void)) {
    free(*block);
    *block = malloc(size());
    if (*block == NULL) abort();
}

static void working_set(long pairs, size_t (*size)(void)) {
    for (int i = 0; i < SET; i++) replace(&blocks[i], size);
    while (pairs-- > 0) replace(&blocks[below(SET)], size);
}

static void one_at_a_time(long pairs) {
    for (; pairs > 0; pairs--) {
        blocks[0] = malloc(65536 + below(65536));
        if (blocks[0] == NULL) abort();
        free(blocks[0]);
    }
}

static void grow_in_steps(long calls) {
    char *block = NULL;
    for (size_t bytes = 40000; calls-- > 0; bytes += 7) {
        block = realloc(block, bytes);
        if (block == NULL) abort();
    }
}

static sem_t filled, emptied;

static void *free_all(void *context) {
    for (long rounds = *(long *)context; rounds > 0; rounds--) {
        sem_wait(&filled);
        for (int i = 0; i < SET; i++) free(blocks[i]);
        sem_post(&emptied);
    }
    return NULL;
}

static void hand_over(long pairs) {
    long rounds = pairs / SET;
    pthread_t other;
    sem_init(&filled, 0, 0);
    sem_init(&emptied, 0, 0);
    if (pthread_create(&other, NULL, free_all, &rounds) != 0) abort();
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < SET; i++) blocks[i] = malloc(BLOCK_BYTES);
        sem_post(&filled);
        sem_wait(&emptied);
    }
    pthread_join(other, NULL);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: pair turn|batch|slabs|set|large|jitter|two|steps N\n", stderr);
        return 2;
    }
    bool slabs = strcmp(argv[1], "slabs") == 0;
    long at_once = slabs ? SET : strcmp(argv[1], "batch") == 0 ? BATCH : 1;
    long pairs = strtol(argv[2], NULL, 10);
    if (strcmp(argv[1], "set") == 0) return working_set(pairs, any_size), 0;
    if (strcmp(argv[1], "large") == 0) return working_set(pairs, large_size), 0;
    if (strcmp(argv[1], "jitter") == 0) return one_at_a_time(pairs), 0;
    if (strcmp(argv[1], "steps") == 0) return grow_in_steps(pairs), 0;
    if (strcmp(argv[1], "two") == 0) return hand_over(pairs), 0;
    for (long done = 0; done < pairs; done += at_once) batch(at_once, slabs ? SLABS_BLOCK_BYTES : BLOCK_BYTES);
    return 0;
}
