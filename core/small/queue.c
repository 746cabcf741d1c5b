#include "core/small/queue.h"

#include "core/layout/slab_remote.h"
#include "core/region/arena.h"
#include "platform/bits.h"

enum { FIRST_CAPACITY = 4 };

static unsigned ring_order(uint32_t capacity) { return mb_log2(capacity / FIRST_CAPACITY); }

// A spare ring's first entry holds the next spare ring of its order.
static struct mb_slab_hint *take_ring(struct mb_heap *heap, uint32_t capacity) {
    unsigned order = ring_order(capacity);
    struct mb_slab_hint *ring = heap->queues->spare_rings[order];
    if (ring == NULL) return mb_arena_metadata(capacity * sizeof *ring, 8);
    __builtin_memcpy(&heap->queues->spare_rings[order], ring, sizeof(void *));
    return ring;
}

static void give_ring(struct mb_heap *heap, struct mb_slab_hint *ring, uint32_t capacity) {
    if (ring == NULL) return;
    unsigned order = ring_order(capacity);
    __builtin_memcpy(ring, &heap->queues->spare_rings[order], sizeof(void *));
    heap->queues->spare_rings[order] = ring;
}

MB_COLD struct mb_class_queues *mb_queue_of_first(struct mb_heap *heap, unsigned class_index) {
    heap->queues = mb_arena_metadata(sizeof *heap->queues, 64);
    return heap->queues == NULL ? NULL : &heap->queues->of_class[class_index];
}

static bool is_current(struct mb_slab_hint hint) {
    uint64_t word = mb_remote_load(mb_unit_at(hint.unit));
    return mb_remote_generation(word) == hint.generation && mb_remote_state(word & ~(uint64_t)MB_REMOTE_BUSY) == MB_SLAB_QUEUED;
}

// Drops stale entries in place.
static void compact(struct mb_queue *queue) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        struct mb_slab_hint hint = mb_queue_at(queue, i);
        if (is_current(hint)) queue->ring[(queue->first + kept++) & (queue->capacity - 1)] = hint;
    }
    queue->count = kept;
}

static bool enlarge(struct mb_heap *heap, struct mb_queue *queue) {
    uint32_t capacity = queue->capacity == 0 ? FIRST_CAPACITY : queue->capacity * 2;
    if (ring_order(capacity) >= MB_RING_ORDERS) return false;
    struct mb_slab_hint *ring = take_ring(heap, capacity);
    if (ring == NULL) return false;
    for (uint32_t i = 0; i < queue->count; i++) ring[i] = mb_queue_at(queue, i);
    give_ring(heap, queue->ring, queue->capacity);
    queue->ring = ring;
    queue->first = 0;
    queue->capacity = capacity;
    return true;
}

MB_NOINLINE bool mb_queue_make_more_room(struct mb_heap *heap, struct mb_queue *queue) {
    compact(queue);
    // Still more than half full: a larger ring keeps the cost of compacting per push constant.
    if (queue->count * 2 >= queue->capacity) enlarge(heap, queue);
    return queue->count < queue->capacity;
}
