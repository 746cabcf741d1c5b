// The heap uses fewer than one mapping for 2 MiB: with 256 MiB of blocks of all sizes, after half of them were freed
// and purged, and after threads have refilled the gaps.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

enum { HEAP_MIB = 256, THREADS = 4, TABLE = 1 << 18 };

static struct blocks sets[THREADS];

static size_t size_for(uint64_t *rng) {
    uint64_t dice = blocks_random(rng) % 256;
    if (dice == 0) return 64 * KIB + blocks_random(rng) % (4 * MIB);
    return 16 + blocks_random(rng) % (dice < 16 ? 40000 : 2000);
}

static void *fill(void *arg) {
    struct blocks *set = arg;
    while (set->live_bytes < HEAP_MIB * MIB / THREADS)
        CHECK(blocks_add(set, size_for(&set->rng)), "refused with %zu bytes live", set->live_bytes);
    return NULL;
}

static void fill_all(void) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, fill, &sets[i]) == 0, "no thread");
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void free_half(void) {
    for (size_t i = 0; i < THREADS; i++)
        for (size_t n = sets[i].count / 2; n > 0; n--) blocks_free_at(&sets[i], blocks_random(&sets[i].rng) % sets[i].count);
    sets[0].api->trim();
}

static void check(const char *when, size_t before) {
    size_t now = measure_maps(), more = now > before ? now - before : 0;
    printf("%s: %zu mappings more\n", when, more);
    CHECK(!sets[0].api->ours || more < HEAP_MIB / 2, "%s: %zu mappings for %d MiB", when, more, HEAP_MIB);
}

int main(void) {
    for (size_t i = 0; i < THREADS; i++) {
        blocks_init(&sets[i], mem_api_libc(), TABLE, i);
        sets[i].malloc_only = true;
    }
    size_t before = measure_maps();
    fill_all();
    check("filled", before);
    free_half();
    check("half freed", before);
    fill_all();
    check("filled again", before);
    for (size_t i = 0; i < THREADS; i++) blocks_free_all(&sets[i]);
    sets[0].api->trim();
    check("all freed", before);
    puts("ok");
    return 0;
}
