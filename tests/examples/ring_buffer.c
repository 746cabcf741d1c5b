// A ring buffer between two threads, in memory of one NUMA node, in huge pages, resident before the first message, with
// a guard page behind it. If the machine lacks one of these, the program says so and continues without it.
#include <mbmalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SLOTS = 1 << 18, MESSAGES = 2000000 };

struct ring {
    _Alignas(64) _Atomic uint64_t written; // by the producer
    _Alignas(64) _Atomic uint64_t read;    // by the consumer
    _Alignas(64) uint64_t slots[SLOTS];
};

static void put(struct ring *ring, uint64_t message) {
    uint64_t at = atomic_load_explicit(&ring->written, memory_order_relaxed);
    while (at - atomic_load_explicit(&ring->read, memory_order_acquire) == SLOTS) continue;
    ring->slots[at % SLOTS] = message;
    atomic_store_explicit(&ring->written, at + 1, memory_order_release);
}

static uint64_t take(struct ring *ring) {
    uint64_t at = atomic_load_explicit(&ring->read, memory_order_relaxed);
    while (atomic_load_explicit(&ring->written, memory_order_acquire) == at) continue;
    uint64_t message = ring->slots[at % SLOTS];
    atomic_store_explicit(&ring->read, at + 1, memory_order_release);
    return message;
}

static void *produce(void *argument) {
    for (uint64_t i = 1; i <= MESSAGES; i++) put(argument, i);
    return NULL;
}

static enum mb_error map_ring(struct mb_region *region) {
    static const uint64_t node_0 = 1;
    struct mb_region_config config = MB_REGION_CONFIG(sizeof(struct ring));
    config.prefer = MB_REGION_NUMA | MB_REGION_HUGE_PAGES;
    config.require = MB_REGION_POPULATE | MB_REGION_GUARD_AT_END;
    config.nodes = &node_0;
    config.node_words = 1;
    return mb_region_new_with(region, &config);
}

static void describe(const struct mb_region *region) {
    uint32_t honoured = mb_region_honoured(region);
    printf("%zu bytes, populated, guarded; %s; %s, %zu bytes of it now\n", mb_region_capacity(region),
           honoured & MB_REGION_NUMA ? "on node 0" : "on any node",
           honoured & MB_REGION_HUGE_PAGES ? "huge pages" : "small pages", mb_region_huge_bytes(region));
}

int main(void) {
    struct mb_region region;
    pthread_t producer;
    uint64_t sum = 0;
    if (map_ring(&region) != MB_OK) {
        printf("no region: error %d, the system says %d\n", mb_region_last_error(&region), mb_region_os_error(&region));
        return 1;
    }
    describe(&region);
    struct ring *ring = mb_region_allocate_zeroed(&region, sizeof *ring, 64);
    if (ring == NULL || pthread_create(&producer, NULL, produce, ring) != 0) return 1;
    for (int i = 0; i < MESSAGES; i++) sum += take(ring);
    pthread_join(producer, NULL);
    return sum == (uint64_t)MESSAGES * (MESSAGES + 1) / 2 && mb_region_drop(&region) == MB_OK ? 0 : 1;
}
