// A thread's heap: the front end that malloc pops from.
//
// What: for every class a list of blocks to hand out (`head`), the slab they belong to, a slab with room to carve, and a
// queue of owned slabs with free blocks. A new thread has the constant empty heap, whose lists are empty, so the fast path
// needs no test for it; a thread whose exit hook has run has the departed heap, which is empty for good.
// Who: a heap belongs to one thread at a time; what others may read is in `shared`. Heaps are never freed: a thread that
// ends releases its slabs and parks its heap, and the next new thread takes it over.
#ifndef MB_CORE_HEAP_SELF_H
#define MB_CORE_HEAP_SELF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/layout/block_list.h"
#include "core/layout/pool.h"
#include "core/layout/size_class.h"
#include "core/layout/slab.h"

// A FIFO of slabs that this heap owns in state QUEUED. The ring grows by doubling; stale entries drop when they come out.
struct mb_queue {
    struct mb_slab_hint *ring;
    uint32_t first, count, capacity;
};

struct mb_heap_shared {
    _Atomic uint64_t blocks_served;             // blocks put on allocation lists; written by the owner, read by statistics
    _Atomic uint64_t large_served;              // likewise, large blocks
    _Atomic(struct mb_heap *) next_registered;  // written once before the heap is published
    _Atomic(struct mb_heap *) next_parked;      // written by who parks, read by who takes
};

struct mb_heap {
    uintptr_t head[MB_CLASSES];              // first block of the allocation list, or the sentinel
    uint8_t class_of[MB_SMALL_GRANULES];     // by (bytes + 15) / 16
    struct mb_slab *current[MB_CLASSES];     // the slab that `head` belongs to; NULL if none
    struct mb_slab *fresh[MB_CLASSES];       // a CURRENT slab with blocks to carve; may equal current
    struct mb_queue ready[MB_CLASSES];       // owned slabs worth using again
    struct mb_queue waiting[MB_CLASSES];     // owned slabs from which too few blocks have come back yet
    struct mb_slab_hint *spare_rings[16];    // rings of 4 << i entries to use again
    uint32_t slow_calls;                     // heartbeat for the purge
    uint32_t exit_rounds;                    // thread-exit hook: rounds postponed
    struct mb_heap_shared shared;
};

extern MB_HIDDEN const struct mb_heap mb_heap_empty;
extern MB_HIDDEN const struct mb_heap mb_heap_departed;

extern MB_HIDDEN MB_THREAD_LOCAL struct mb_heap *mb_heap_self;

// What a slab's owner word says in a forked child when the owner stayed behind in the parent. No thread has this heap.
MB_INLINE struct mb_heap *mb_orphan_owner(void) { return (struct mb_heap *)(uintptr_t)&mb_sentinel; }

MB_INLINE bool mb_heap_is_real(const struct mb_heap *heap) {
    return heap != &mb_heap_empty && heap != &mb_heap_departed;
}

#endif
