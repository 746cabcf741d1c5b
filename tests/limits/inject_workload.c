// Implements inject_workload.h: the workload that runs while system calls fail.
#include "tests/limits/inject_workload.h"

#include <pthread.h>
#include <string.h>

#include "tests/limits/blocks.h"
#include "tests/limits/exhaust.h"
#include "tests/limits/measure.h"
#include "tests/support/os_inject.h"

enum { THREADS = 2, MOST_LIVE = 400, OPERATIONS = 1200, THREAD_OPERATIONS = 400, TABLE = 1024 };

// Sizes: mostly small, some of several units, a few large.
static size_t some_size(uint64_t *rng) {
    uint64_t dice = blocks_random(rng) % 64;
    size_t limit = dice == 0 ? MIB : dice < 8 ? 64 * KIB : 2 * KIB;
    return 1 + blocks_random(rng) % limit;
}

static void must_be_a_fault(bool worked, size_t bytes) {
    CHECK(worked || os_inject_failed(), "%zu bytes were refused although no call had failed", bytes);
}

static void one_operation(struct blocks *set) {
    size_t bytes = some_size(&set->rng), i = set->count ? blocks_random(&set->rng) % set->count : 0;
    uint64_t dice = blocks_random(&set->rng) % 8;
    if (set->count && (dice < 2 || set->count >= MOST_LIVE)) blocks_free_at(set, i);
    else if (set->count && dice == 2) must_be_a_fault(blocks_resize(set, i, bytes), bytes);
    else must_be_a_fault(blocks_add(set, bytes), bytes);
}

static void resize(struct blocks *set, size_t i, size_t bytes) {
    must_be_a_fault(blocks_resize(set, i, bytes), bytes);
}

// Two blocks grow in turn, by doubling and by small steps, then shrink: in place, by moved pages, by copying.
static void grow_and_shrink(struct blocks *set) {
    for (int i = 0; i < 2; i++)
        if (!blocks_add(set, 64 * KIB)) return must_be_a_fault(false, 64 * KIB);
    size_t a = set->count - 1, b = set->count - 2;
    for (size_t bytes = 128 * KIB; bytes <= 4 * MIB; bytes *= 2) {
        resize(set, a, bytes);
        resize(set, b, bytes + bytes / 4);
    }
    for (int i = 0; i < 3; i++) resize(set, a, set->v[a].bytes + 100000);
    for (int i = 0; i < 2; i++) {
        resize(set, a, i ? 100 : 200 * KIB);
        resize(set, b, i ? 40 * KIB : 3 * MIB);
    }
}

static void aligned_blocks(const struct mem_api *api) {
    for (size_t align = 32 * KIB; align <= 16 * MIB; align *= 8) {
        char *p = api->memalign(align, 70000);
        must_be_a_fault(p != NULL, align);
        if (!p) continue;
        CHECK((uintptr_t)p % align == 0, "%p for alignment %zu", (void *)p, align);
        memset(p, 1, 70000);
        api->free(p);
    }
}

static void operate(struct blocks *set, int operations) {
    for (int i = 0; i < operations; i++) one_operation(set);
    blocks_verify(set);
}

static void *thread_main(void *arg) {
    operate(arg, THREAD_OPERATIONS);
    return NULL;
}

// The blocks outlive their threads: the caller frees them.
static void threads_operate(const struct mem_api *api) {
    struct blocks sets[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        blocks_init(&sets[i], api, TABLE, 50 + i);
        CHECK(pthread_create(&threads[i], NULL, thread_main, &sets[i]) == 0, "no thread");
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++) {
        blocks_free_all(&sets[i]);
        blocks_drop(&sets[i]);
    }
}

void inject_workload(void) {
    const struct mem_api *api = mem_api_core();
    struct blocks set;
    blocks_init(&set, api, TABLE, 4);
    operate(&set, OPERATIONS);
    grow_and_shrink(&set);
    blocks_free_all(&set);
    api->trim();
    aligned_blocks(api);
    operate(&set, OPERATIONS);
    threads_operate(api);
    grow_and_shrink(&set);
    blocks_free_all(&set);
    blocks_drop(&set);
}

static void *classes_work(void *arg) {
    exhaust_every_class_works(arg, 128 * KIB);
    return NULL;
}

void inject_all_well(void) {
    const struct mem_api *api = mem_api_core();
    pthread_t threads[THREADS];
    classes_work((void *)(uintptr_t)api);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, classes_work, (void *)(uintptr_t)api) == 0, "no thread");
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}
