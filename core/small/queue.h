// A queue of a heap's owned slabs of one class: FIFO, so that a slab that has just stopped being full waits at the tail
// until more of it is free. Owner thread. Rings come from metadata and are used again within the heap.
#ifndef MB_CORE_SMALL_QUEUE_H
#define MB_CORE_SMALL_QUEUE_H

#include <stdbool.h>

#include "core/heap/self.h"

// The queues of a class; NULL: out of memory.
struct mb_class_queues *mb_queue_of_first(struct mb_heap *heap, unsigned class_index);
MB_INLINE struct mb_class_queues *mb_queue_of(struct mb_heap *heap, unsigned class_index) {
    if (MB_UNLIKELY(heap->queues == NULL)) return mb_queue_of_first(heap, class_index);
    return &heap->queues->of_class[class_index];
}

// Makes sure that one entry fits; false: no memory for a larger ring.
bool mb_queue_make_more_room(struct mb_heap *heap, struct mb_queue *queue);
MB_INLINE bool mb_queue_make_room(struct mb_heap *heap, struct mb_queue *queue) {
    return MB_LIKELY(queue->count < queue->capacity) || mb_queue_make_more_room(heap, queue);
}

// Entry i, counted from the one that was put first. i < count.
MB_INLINE struct mb_slab_hint mb_queue_at(const struct mb_queue *queue, uint32_t i) {
    return queue->ring[(queue->first + i) & (queue->capacity - 1)];
}

// After mb_queue_make_room.
MB_INLINE void mb_queue_push(struct mb_queue *queue, struct mb_slab_hint hint) {
    queue->ring[(queue->first + queue->count++) & (queue->capacity - 1)] = hint;
}

// The oldest entry goes; count > 0.
MB_INLINE void mb_queue_drop(struct mb_queue *queue) {
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
}

MB_INLINE bool mb_queue_pop(struct mb_queue *queue, struct mb_slab_hint *out) {
    if (queue->count == 0) return false;
    *out = mb_queue_at(queue, 0);
    mb_queue_drop(queue);
    return true;
}

#endif
