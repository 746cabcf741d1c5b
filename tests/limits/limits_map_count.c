// The process has reached its maximum number of mappings (vm.max_map_count): requests succeed or are refused with
// ENOMEM, free always works, and once mappings are available again everything is as before.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/limits/exhaust.h"
#include "tests/limits/measure.h"

enum { THREADS = 2, MOST_MAPS = 2000000, HEAP_SET = 1 << 17 };

static pthread_barrier_t step;

// Two pages with alternating access never merge, so each page is one mapping.
static size_t use_up_maps(char **base, size_t limit) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (limit + 2) * page;
    *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(*base != MAP_FAILED, "%zu bytes of address space: %s", bytes, strerror(errno));
    for (size_t i = 0; i < limit; i += 2)
        if (mprotect(*base + i * page, page, PROT_READ) != 0) break;
    // Uses up the last one or two mappings: a split needs two at once, a new mapping only one.
    while (mmap(NULL, page, PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
    }
    CHECK(errno == ENOMEM, "errno %d", errno);
    return bytes;
}

// Each result is either NULL with ENOMEM or a usable block.
static void try_everything(const struct mem_api *api, uint64_t seed) {
    struct block table[128];
    struct blocks set;
    blocks_init_in(&set, api, table, 128, seed);
    for (int round = 0; round < 2000; round++) {
        size_t bytes = 1 + blocks_random(&set.rng) % ((size_t)16 << blocks_random(&set.rng) % 18);
        if (!blocks_add(&set, bytes) || set.count % 3 == 0)
            if (set.count) blocks_free_at(&set, blocks_random(&set.rng) % set.count);
        if (set.count > 64) blocks_resize(&set, blocks_random(&set.rng) % set.count, bytes * 2);
    }
    printf("%zu blocks, %zu KiB in the shortage\n", set.count, set.live_bytes / KIB);
    blocks_free_all(&set);
}

static void *thread_main(void *arg) {
    pthread_barrier_wait(&step);
    try_everything(mem_api_libc(), (size_t)arg + 10);
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
    exhaust_every_class_works(mem_api_libc(), MIB);
    return NULL;
}

static void fill_heap(struct blocks *set, size_t bytes) {
    while (set->live_bytes < bytes) {
        size_t size = set->count % 64 ? 16 + blocks_random(&set->rng) % 2000 : 200000;
        CHECK(blocks_add(set, size), "refused with %zu bytes live", set->live_bytes);
    }
}

int main(void) {
    bool ours = measure_under_mbmalloc();
    size_t limit = measure_number_in("/proc/sys/vm/max_map_count", 0), bytes;
    const struct mem_api *api = mem_api_libc();
    struct blocks live, heap;
    pthread_t threads[THREADS];
    char *base;
    if (limit == 0 || limit > MOST_MAPS) skip_test("vm.max_map_count is %zu", limit);
    blocks_init(&live, api, HEAP_SET, 1);
    blocks_init(&heap, api, HEAP_SET, 2);
    fill_heap(&live, 4 * MIB);
    size_t before = measure_rss_bytes();
    fill_heap(&heap, 100 * MIB);
    pthread_barrier_init(&step, NULL, THREADS + 1);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, thread_main, (void *)i) == 0, "thread %zu", i);

    bytes = use_up_maps(&base, limit);
    printf("%zu mappings of %zu\n", measure_maps(), limit);
    pthread_barrier_wait(&step); // the threads try with a heap that they have never used
    try_everything(api, 9);
    blocks_free_all(&heap);
    api->trim();
    pthread_barrier_wait(&step);
    size_t short_of_maps = measure_rss_bytes();
    blocks_verify(&live);
    CHECK(munmap(base, bytes) == 0, "munmap: %s", strerror(errno));

    pthread_barrier_wait(&step);
    exhaust_every_class_works(api, 4 * MIB);
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    blocks_verify(&live);
    api->trim();
    size_t after = measure_rss_bytes();
    printf("RSS %zu MiB, %zu MiB freed in the shortage, %zu MiB after it\n", before / MIB, short_of_maps / MIB, after / MIB);
    CHECK(!ours || after < before + 20 * MIB, "RSS grew from %zu to %zu bytes", before, after);
    blocks_free_all(&live);
    puts("ok");
    return 0;
}
