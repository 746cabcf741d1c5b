// Producers allocate, and one thread that never allocates frees, connected by bounded queues: memory use follows the
// live bytes.
// Usage: limits_producers PRODUCERS LIVE_KIB SIZE_MIN SIZE_MAX SECONDS
//   RSS must stay under 2x the live bytes (for a live set of at least 16 MiB), or under 64 MiB (below 1 MiB live).
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mman.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

enum { MOST_PRODUCERS = 8, QUEUE = 1 << 18 };

// One producer, one consumer. `in` is written by the producer, `out` by the consumer; both release, the other acquires.
struct queue {
    void *slot[QUEUE];
    size_t bytes[QUEUE];
    _Atomic size_t in, out;
    _Atomic size_t made_bytes;  // written by the producer
    _Atomic size_t freed_bytes; // written by the consumer
};
static struct queue *queues;
static size_t producers, live_limit, size_min, size_max;
static _Atomic bool stop;

static size_t live_bytes(struct queue *q) { return atomic_load(&q->made_bytes) - atomic_load(&q->freed_bytes); }

static void push(struct queue *q, void *p, size_t bytes) {
    size_t in = atomic_load_explicit(&q->in, memory_order_relaxed);
    while (in - atomic_load_explicit(&q->out, memory_order_acquire) == QUEUE) sched_yield();
    q->slot[in % QUEUE] = p;
    q->bytes[in % QUEUE] = bytes;
    atomic_store_explicit(&q->in, in + 1, memory_order_release);
}

static void *produce(void *arg) {
    struct queue *q = arg;
    uint64_t rng = (uint64_t)(q - queues) * 2 + 1;
    while (!atomic_load(&stop)) {
        size_t bytes = size_min + blocks_random(&rng) % (size_max - size_min + 1);
        while (live_bytes(q) + bytes > live_limit / producers && !atomic_load(&stop)) sched_yield();
        void *p = malloc(bytes);
        CHECK(p, "refused %zu bytes", bytes);
        memset(p, 1, bytes);
        atomic_fetch_add(&q->made_bytes, bytes);
        push(q, p, bytes);
    }
    return NULL;
}

// Frees the oldest blocks of one queue, at most 64, and until the end leaves three quarters of what may live alive
// (less if the next block would then not fit).
static size_t drain(struct queue *q, bool all) {
    size_t out = atomic_load_explicit(&q->out, memory_order_relaxed), n = 0;
    size_t in = atomic_load_explicit(&q->in, memory_order_acquire);
    size_t share = live_limit / producers, keep = share - size_max < share / 4 * 3 ? share - size_max : share / 4 * 3;
    if (all) keep = 0;
    for (; out != in && n < 64 && live_bytes(q) > keep; out++, n++) {
        size_t bytes = q->bytes[out % QUEUE];
        free(q->slot[out % QUEUE]);
        atomic_fetch_add(&q->freed_bytes, bytes);
    }
    atomic_store_explicit(&q->out, out, memory_order_release);
    return n;
}

static void *consume(void *arg) {
    bool end = false;
    for (size_t n = 1; n || !end;) {
        end = atomic_load(&stop);
        n = 0;
        for (size_t i = 0; i < producers; i++) n += drain(&queues[i], end);
        if (n == 0) sched_yield();
    }
    return arg;
}

// The kernel's sum may lose areas while threads change the mappings (seen with Linux 6.1): a look that finds less than
// the queues is none.
static size_t watch_rss(unsigned seconds, size_t own) {
    size_t peak = 0, looks = 0;
    uint64_t end = measure_now_ms() + seconds * 1000u;
    while (measure_now_ms() < end) {
        size_t rss = measure_rss_bytes();
        if (rss >= own) looks++;
        if (rss > own && rss - own > peak) peak = rss - own;
        measure_sleep_ms(20);
    }
    CHECK(looks > 0, "RSS was never as much as the queues, %zu bytes", own);
    return peak;
}

static void start(pthread_t *threads) {
    for (size_t i = 0; i < producers; i++)
        CHECK(pthread_create(&threads[i], NULL, produce, &queues[i]) == 0, "no thread");
    CHECK(pthread_create(&threads[producers], NULL, consume, NULL) == 0, "no thread");
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    bool ours = measure_under_mbmalloc();
    pthread_t threads[MOST_PRODUCERS + 1];
    producers = strtoul(argv[1], NULL, 10);
    live_limit = strtoul(argv[2], NULL, 10) * KIB;
    size_min = strtoul(argv[3], NULL, 10), size_max = strtoul(argv[4], NULL, 10);
    size_t bytes = producers * sizeof *queues;
    queues = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(queues != MAP_FAILED, "%zu bytes of queues", bytes);
    memset(queues, 0, bytes); // resident from the start, so that it can be subtracted
    size_t own = bytes;
    start(threads);
    size_t peak = watch_rss((unsigned)atoi(argv[5]), own);
    atomic_store(&stop, true);
    for (size_t i = 0; i <= producers; i++) pthread_join(threads[i], NULL);
    size_t allowed = live_limit < MIB ? 64 * MIB : 2 * live_limit, blocks = 0;
    for (size_t i = 0; i < producers; i++) blocks += queues[i].out;
    printf("%zu producers, %zu blocks, at most %zu KiB live: RSS at most %zu MiB\n", producers, blocks, live_limit / KIB,
           peak / MIB);
    CHECK(!ours || peak < allowed, "RSS %zu bytes with %zu live", peak, live_limit);
    return 0;
}
