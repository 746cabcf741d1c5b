// A queue of a heap's owned slabs of one class: FIFO, so that a slab that has just stopped being full waits at the tail
// until more of it is free. Owner thread. Rings come from metadata and are used again within the heap.
#ifndef MB_CORE_SMALL_QUEUE_H
#define MB_CORE_SMALL_QUEUE_H

#include <stdbool.h>

#include "core/heap/self.h"

// The queues of a class; NULL: out of memory.
struct mb_class_queues *mb_queue_of(struct mb_heap *heap, unsigned class_index);

// Makes sure that one entry fits; false: no memory for a larger ring.
bool mb_queue_make_room(struct mb_heap *heap, struct mb_queue *queue);
// After mb_queue_make_room.
void mb_queue_push(struct mb_queue *queue, struct mb_slab_hint hint);
bool mb_queue_pop(struct mb_queue *queue, struct mb_slab_hint *out);

#endif
