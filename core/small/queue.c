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

struct mb_class_queues *mb_queue_of(struct mb_heap *heap, unsigned class_index) {
    if (MB_UNLIKELY(heap->queues == NULL)) heap->queues = mb_arena_metadata(sizeof *heap->queues, 64);
    return heap->queues == NULL ? NULL : &heap->queues->of_class[class_index];
}

static bool is_current(struct mb_slab_hint hint) {
    uint64_t word = mb_remote_load(mb_unit_at(hint.unit));
    return mb_remote_generation(word) == hint.generation && mb_remote_state(word & ~(uint64_t)MB_REMOTE_BUSY) == MB_SLAB_QUEUED;
}

static struct mb_slab_hint entry_at(const struct mb_queue *queue, uint32_t i) {
    return queue->ring[(queue->first + i) & (queue->capacity - 1)];
}

// Drops stale entries in place.
static void compact(struct mb_queue *queue) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        struct mb_slab_hint hint = entry_at(queue, i);
        if (is_current(hint)) queue->ring[(queue->first + kept++) & (queue->capacity - 1)] = hint;
    }
    queue->count = kept;
}

static bool enlarge(struct mb_heap *heap, struct mb_queue *queue) {
    uint32_t capacity = queue->capacity == 0 ? FIRST_CAPACITY : queue->capacity * 2;
    if (ring_order(capacity) >= MB_RING_ORDERS) return false;
    struct mb_slab_hint *ring = take_ring(heap, capacity);
    if (ring == NULL) return false;
    for (uint32_t i = 0; i < queue->count; i++) ring[i] = entry_at(queue, i);
    give_ring(heap, queue->ring, queue->capacity);
    queue->ring = ring;
    queue->first = 0;
    queue->capacity = capacity;
    return true;
}

bool mb_queue_make_room(struct mb_heap *heap, struct mb_queue *queue) {
    if (queue->count < queue->capacity) return true;
    compact(queue);
    // Still more than half full: a larger ring keeps the cost of compacting per push constant.
    if (queue->count * 2 >= queue->capacity) enlarge(heap, queue);
    return queue->count < queue->capacity;
}

void mb_queue_push(struct mb_queue *queue, struct mb_slab_hint hint) {
    queue->ring[(queue->first + queue->count++) & (queue->capacity - 1)] = hint;
}

bool mb_queue_pop(struct mb_queue *queue, struct mb_slab_hint *out) {
    if (queue->count == 0) return false;
    *out = entry_at(queue, 0);
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
    return true;
}
