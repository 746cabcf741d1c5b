// Strict overcommit, with the commit charge counted by the injector: the allocator is charged for little more than the
// live bytes, returns charge, reuses what one size class freed for the next one, and recovers from refusals.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/limits/exhaust.h"
#include "tests/limits/measure.h"
#include "tests/support/os_inject.h"

enum { LIMIT_MIB = 64, TABLE = 1 << 21, THREADS = 64, STACK_BYTES = 64 << 10 };

// Fills the whole charge with blocks of one size; returns the bytes that fitted.
static size_t fill_with(struct blocks *set, size_t bytes) {
    while (blocks_add(set, bytes)) {
    }
    CHECK(set->count < set->capacity, "the table is too small for %zu-byte blocks", bytes);
    return set->live_bytes;
}

static void class_after_class(const struct mem_api *api) {
    static const size_t sizes[] = {1024, 64, 40000, 256, 1 << 20, 4096, 20000, 128, 300000, 2560};
    struct blocks set;
    blocks_init(&set, api, TABLE, 8);
    set.malloc_only = true;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t fitted = fill_with(&set, sizes[i]);
        printf("%zu bytes: %zu KiB of a charge of %zu KiB\n", sizes[i], fitted / KIB, os_inject_charge() / KIB);
        // A block of 40,000 bytes is charged a whole unit of 64 KiB; all others come near the limit.
        CHECK(fitted > LIMIT_MIB * MIB / 100 * (sizes[i] == 40000 ? 55 : 80), "only %zu KiB of %d MiB can be used in %zu-byte blocks",
              fitted / KIB, LIMIT_MIB, sizes[i]);
        blocks_free_all(&set);
    }
    blocks_drop(&set);
}

static void charge_follows_use(const struct mem_api *api, size_t start) {
    struct blocks set;
    blocks_init(&set, api, TABLE, 9);
    set.malloc_only = true;
    while (set.live_bytes < 40 * MIB) CHECK(blocks_add(&set, 16 + set.count % 3000), "refused below the limit");
    size_t full = os_inject_charge();
    blocks_free_all(&set);
    blocks_drop(&set);
    api->trim();
    size_t empty = os_inject_charge();
    printf("charge %zu KiB at start, %zu KiB for 40 MiB, %zu KiB afterwards\n", start / KIB, full / KIB, empty / KIB);
    CHECK(start < 4 * MIB, "the first block is charged %zu bytes", start);
    CHECK(full < 56 * MIB, "charged %zu bytes for 40 MiB", full);
    CHECK(empty < start + 10 * MIB, "charged %zu bytes for nothing", empty);
}

// Empty slabs must not prevent a large block.
static void large_after_many_sizes(const struct mem_api *api) {
    for (size_t bytes = 16; bytes <= 32 * KIB; bytes += bytes < KIB ? 16 : bytes / 16) api->free(api->malloc(bytes));
    void *p = api->malloc((LIMIT_MIB - 6) * MIB);
    CHECK(p, "nothing is live and %d of %d MiB are refused", LIMIT_MIB - 6, LIMIT_MIB);
    api->free(p);
}

static pthread_barrier_t all_there;
static _Atomic unsigned refused_threads;

static void *ask_for_little(void *arg) {
    const struct mem_api *api = arg;
    void *p = api->malloc(16);
    if (!p) atomic_fetch_add(&refused_threads, 1);
    pthread_barrier_wait(&all_there); // so that no heap serves two threads
    api->free(p);
    return NULL;
}

// The data of a new thread must find memory although the charge is used up: free memory pays for it.
static void new_threads_after_shortage(const struct mem_api *api) {
    pthread_t threads[THREADS];
    pthread_attr_t attr;
    struct blocks set;
    blocks_init(&set, api, 1 << 16, 10);
    exhaust_fill(&set, MIB, SIZE_MAX);
    blocks_free_all(&set);
    blocks_drop(&set);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_barrier_init(&all_there, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], &attr, ask_for_little, (void *)(uintptr_t)api) == 0, "thread %zu", i);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    CHECK(refused_threads == 0, "%u of %d new threads are refused 16 bytes with nothing live", refused_threads, THREADS);
}

int main(void) {
    const struct mem_api *api = mem_api_core();
    os_inject_limit_charge(LIMIT_MIB * MIB);
    api->free(api->malloc(1));
    size_t start = os_inject_charge();
    CHECK(start > 0, "the injector saw no commit");
    charge_follows_use(api, start);
    large_after_many_sizes(api);
    class_after_class(api);
    new_threads_after_shortage(api);
    exhaust_run(&(struct exhaust_plan){.api = api,
                                       .threads = 4,
                                       .live_bytes = MIB,
                                       .cap_bytes = SIZE_MAX,
                                       .table_blocks = 1 << 16,
                                       .largest_bytes = 4 * MIB,
                                       .must_be_refused = true});
    // What threads leave in use lies anywhere between, and trim returns the charge of runs of 2 MiB and more; who is
    // short of memory once more gets the rest, too, whether a block as long as this one then fits or not.
    api->free(api->malloc((LIMIT_MIB - 6) * MIB));
    api->trim();
    printf("charge %zu KiB at the end\n", os_inject_charge() / KIB);
    CHECK(os_inject_charge() < start + 12 * MIB, "charged %zu bytes for nothing", os_inject_charge());
    puts("ok");
    return 0;
}
