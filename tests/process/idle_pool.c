// Threads of a pool that have handled requests, freed everything and sleep keep little memory: the resident set,
// including the threads' stacks, stays below a bound. Arguments: number of threads, requests for each, longest block,
// seconds of sleep before measuring (twenty times as many where the processor is busy and the bound not met yet), bound
// in MB, and "trim" to call malloc_trim first.
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS_MAX = 64, STACK_BYTES = 128 << 10 };

static struct {
    unsigned threads, requests;
    size_t longest;
    pthread_barrier_t done, wake;
} pool;

static size_t resident_bytes(void) {
    char text[128];
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) exit(77);
    if (fgets(text, sizeof text, file) == NULL || sscanf(text, "%*s %zu", &pages) != 1) exit(1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void handle_requests(uint64_t state) {
    void *blocks[BLOCKS_MAX];
    for (unsigned r = 0; r < pool.requests; r++) {
        unsigned count = 1 + (unsigned)(state >> 20) % (BLOCKS_MAX - 1);
        for (unsigned i = 0; i < count; i++) {
            state ^= state << 13, state ^= state >> 7, state ^= state << 17;
            size_t bytes = 16 + (size_t)(state >> 16) % pool.longest;
            blocks[i] = malloc(bytes);
            if (blocks[i] == NULL) abort();
            memset(blocks[i], 1, bytes);
        }
        while (count > 0) free(blocks[--count]);
    }
}

static void *worker(void *argument) {
    handle_requests(UINT64_C(0x9e3779b97f4a7c15) * (1 + (uintptr_t)argument));
    pthread_barrier_wait(&pool.done);
    pthread_barrier_wait(&pool.wake); // they still work after their sleep
    handle_requests(88172645463325252);
    return NULL;
}

static size_t kept_after_sleep(size_t before, unsigned seconds, size_t bound_mb) {
    sleep(seconds);
    size_t kept = resident_bytes() - before;
    for (unsigned more = 19 * seconds; more > 0 && kept >> 20 > bound_mb; more--) {
        sleep(1);
        kept = resident_bytes() - before;
    }
    return kept;
}

int main(int argc, char **argv) {
    if (argc < 6) return 2;
    size_t bound_mb = (size_t)atol(argv[5]);
    pool.threads = (unsigned)atoi(argv[1]), pool.requests = (unsigned)atoi(argv[2]), pool.longest = (size_t)atol(argv[3]);
    pthread_t *threads = calloc(pool.threads, sizeof *threads);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_barrier_init(&pool.done, NULL, pool.threads + 1);
    pthread_barrier_init(&pool.wake, NULL, pool.threads + 1);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < pool.threads; i++) {
        if (pthread_create(&threads[i], &attributes, worker, (void *)(uintptr_t)i) != 0) return puts("SKIP: no more threads to be had"), 77;
    }
    pthread_barrier_wait(&pool.done);
    size_t kept = kept_after_sleep(before, (unsigned)atoi(argv[4]), bound_mb);
    if (argc > 6) malloc_trim(0), kept = resident_bytes() - before;
    pthread_barrier_wait(&pool.wake);
    for (unsigned i = 0; i < pool.threads; i++) pthread_join(threads[i], NULL);
    printf("%u threads keep %zu MB, %zu KB each; at most %zu MB\n", pool.threads, kept >> 20, (kept >> 10) / pool.threads, bound_mb);
    return kept >> 20 > bound_mb;
}
