// Implements exhaust.h: running out of memory and recovering.
#include "tests/limits/exhaust.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/limits/measure.h"

enum { MAX_THREADS = 16, STACK_BYTES = 256 * 1024, BLOCKS_PER_TINY_SIZE = 4096, SMALL_FILL = 8192 };

size_t exhaust_fill(struct blocks *set, size_t largest, size_t cap_bytes) {
    size_t refused = 0, end = set->live_bytes + cap_bytes;
    for (size_t bytes = largest; bytes >= 8; bytes /= 2) {
        for (size_t n = 0; set->live_bytes < end && set->count < set->capacity; n++) {
            if (bytes < 1024 && n == BLOCKS_PER_TINY_SIZE) break; // the table is for more than crumbs
            if (blocks_add(set, bytes + blocks_random(&set->rng) % (bytes / 2))) continue;
            refused++;
            break;
        }
    }
    return refused;
}

// One size: all four ways to get it, and what each promises.
static void size_works(struct blocks *set, size_t bytes) {
    CHECK(blocks_add(set, bytes), "%zu bytes are still refused", bytes);
    CHECK(blocks_resize(set, 0, bytes + bytes / 2 + 1), "growing from %zu bytes is still refused", bytes);
    CHECK(blocks_resize(set, 0, bytes / 2 + 1), "shrinking to %zu bytes is still refused", bytes / 2 + 1);
    unsigned char *zero = set->api->calloc(bytes, 1);
    CHECK(zero, "calloc of %zu bytes is still refused", bytes);
    CHECK(mem_is_zero(zero, bytes), "calloc(%zu) is not zero", bytes);
    memset(zero, 0xa5, bytes);
    set->api->free(zero);
    for (size_t align = 64; align <= 65536; align *= 32) {
        void *p = set->api->memalign(align, bytes);
        CHECK(p && (uintptr_t)p % align == 0, "memalign(%zu, %zu) gave %p", align, bytes, p);
        memset(p, 0x5a, bytes);
        set->api->free(p);
    }
    blocks_free_all(set);
}

static size_t next_size(size_t bytes) {
    if (bytes < 128) return bytes + 8;
    size_t step = bytes;
    while (step & (step - 1)) step &= step - 1;
    return bytes + step / 8;
}

void exhaust_every_class_works(const struct mem_api *api, size_t largest) {
    struct block one;
    struct blocks set;
    blocks_init_in(&set, api, &one, 1, largest);
    for (size_t bytes = 1; bytes <= largest; bytes = next_size(bytes)) size_works(&set, bytes);
}

// Blocks of every kind, alive from before the shortage to after it.
static void make_live(struct blocks *set, size_t bytes) {
    while (set->live_bytes < bytes && set->count < set->capacity) {
        size_t limit = (size_t)16 << blocks_random(&set->rng) % 14;
        CHECK(blocks_add(set, 1 + blocks_random(&set->rng) % limit), "refused before any shortage");
    }
}

// A request that must fail now fails with ENOMEM and loses no block.
static void refusals_are_clean(struct blocks *set) {
    for (size_t i = 0; i < set->count && i < 64; i++)
        CHECK(!blocks_resize(set, i, (size_t)1 << 46), "realloc to 64 TiB worked");
    errno = 0;
    CHECK(!set->api->calloc((size_t)1 << 46, 1) && mem_refused_cleanly(set->api), "calloc of 64 TiB: errno %d", errno);
    errno = 0;
    CHECK(!set->api->memalign(4096, (size_t)1 << 46) && mem_refused_cleanly(set->api), "memalign of 64 TiB: errno %d", errno);
    blocks_verify(set);
}

struct worker {
    const struct exhaust_plan *plan;
    struct blocks own, *other; // `other` is the neighbour's set, freed by this thread
    pthread_t thread;
    size_t largest, refused;
};
static pthread_barrier_t step;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static struct worker workers[MAX_THREADS];

// After threads have been short of memory together, the libc's malloc keeps large free pieces apart.
static size_t recovered_bytes(const struct exhaust_plan *plan) {
    return plan->api->ours ? plan->largest_bytes : plan->largest_bytes / 64;
}

// A thread whose first allocations happen when no memory is left: they may succeed, or fail with ENOMEM.
static void first_use_in_shortage(struct worker *w) {
    for (size_t bytes = 8; bytes <= 65536; bytes *= 2) blocks_add(&w->own, bytes);
    blocks_verify(&w->own);
    blocks_free_all(&w->own);
}

static void every_class_works_again(const struct exhaust_plan *plan) {
    if (plan->in_turns) pthread_mutex_lock(&turn);
    exhaust_every_class_works(plan->api, recovered_bytes(plan) / plan->threads);
    if (!plan->in_turns) return;
    plan->api->trim();
    pthread_mutex_unlock(&turn);
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    pthread_barrier_wait(&step); // main has used everything up
    first_use_in_shortage(w);
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step); // main has given it back
    w->refused = exhaust_fill(&w->own, w->largest, w->plan->cap_bytes / w->plan->threads);
    pthread_barrier_wait(&step);
    blocks_verify(&w->own);
    pthread_barrier_wait(&step);
    blocks_free_all(w->other);
    if (w->plan->in_turns) w->plan->api->trim();
    pthread_barrier_wait(&step);
    every_class_works_again(w->plan);
    return NULL;
}

static void start_workers(const struct exhaust_plan *plan) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_barrier_init(&step, NULL, plan->threads + 1);
    for (unsigned i = 0; i < plan->threads; i++) {
        struct worker *w = &workers[i];
        w->plan = plan;
        w->largest = i % 2 ? SMALL_FILL : 4 * MIB;
        blocks_init(&w->own, plan->api, plan->table_blocks, 1000 + i);
        w->other = &workers[(i + 1) % plan->threads].own;
        int e = pthread_create(&w->thread, &attr, worker_main, w);
        CHECK(e == 0, "pthread_create %u: %s", i, strerror(e));
    }
    pthread_attr_destroy(&attr);
}

static void finish_workers(const struct exhaust_plan *plan) {
    size_t refused = 0;
    if (plan->in_turns) plan->api->trim();
    for (int i = 0; i < 4; i++) pthread_barrier_wait(&step); // give back, fill, verify, free across
    for (unsigned i = 0; i < plan->threads; i++) {
        pthread_join(workers[i].thread, NULL);
        refused += workers[i].refused;
        blocks_drop(&workers[i].own);
    }
    CHECK(refused || !plan->must_be_refused, "%u threads were never refused", plan->threads);
    pthread_barrier_destroy(&step);
}

// One thread uses everything up and gives it back.
static void exhaust_alone(const struct exhaust_plan *plan, struct blocks *live, struct blocks *rest, size_t largest) {
    size_t refused = exhaust_fill(rest, largest, plan->cap_bytes);
    printf("%zu KiB in %zu blocks, %zu refusals\n", rest->live_bytes / KIB, rest->count, refused);
    CHECK(refused || !plan->must_be_refused, "never refused, %zu bytes live", rest->live_bytes);
    refusals_are_clean(live);
    if (plan->threads) {
        pthread_barrier_wait(&step);
        pthread_barrier_wait(&step); // the threads have tried
    }
    blocks_verify(live);
    blocks_free_all(rest);
}

void exhaust_run(const struct exhaust_plan *plan) {
    struct blocks live, rest;
    blocks_init(&live, plan->api, plan->table_blocks, 42);
    blocks_init(&rest, plan->api, plan->table_blocks, 7);
    make_live(&live, plan->live_bytes);
    if (plan->threads) start_workers(plan);
    for (int round = 0; round < 2; round++) {
        if (round == 0 || !plan->threads) exhaust_alone(plan, &live, &rest, round ? SMALL_FILL : 4 * MIB);
        exhaust_every_class_works(plan->api, plan->largest_bytes);
    }
    if (plan->threads) finish_workers(plan);
    blocks_verify(&live);
    exhaust_every_class_works(plan->api, recovered_bytes(plan));
    blocks_free_all(&live);
    blocks_drop(&live);
    blocks_drop(&rest);
}
