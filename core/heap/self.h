// A thread's heap: the front end that malloc pops from.
//
// What: for every class a mask of up to 64 blocks to hand out (`front.mask`), the slab they belong to, a slab with room
// to carve, and queues of owned slabs with free blocks. A new thread has the constant empty heap, whose masks are
// empty, so the fast path needs no test for it; a thread whose exit hook has run has the departed heap, which is empty
// for good.
//
// The mask is a copy of one word of the slab's free bits. malloc takes the lowest bit from it and clears the bit in the
// slab's word too; free sets it there alone. So a block is never free in both senses, a second free of it is seen at
// once, and the address that malloc returns does not wait for the free before it. When the mask is empty the next word
// is copied.
// Who: a heap belongs to one thread at a time; what others may read is in `shared`. Heaps are never freed: a thread
// that ends releases its slabs and parks its heap, and the next new thread takes it over.
#ifndef MB_CORE_HEAP_SELF_H
#define MB_CORE_HEAP_SELF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/heap/large_cache.h"
#include "core/layout/pool.h"
#include "core/layout/size_class.h"
#include "core/layout/slab.h"
#include "platform/thread.h"

// A FIFO of slabs that this heap owns in state QUEUED. The ring grows by doubling; stale entries drop when they come
// out.
struct mb_queue {
    struct mb_slab_hint *ring;
    uint32_t first, count, capacity;
};

struct mb_heap_shared {
    _Atomic uint64_t blocks_served;                   // blocks put into masks; written by the owner, read by statistics
    _Atomic uint64_t large_served;                    // likewise, large blocks
    _Atomic uint64_t ticks;                           // likewise, quick refills in units of MB_CALLS_A_TICK; the rest: calls_to_tick
    _Atomic uint64_t refills;                         // likewise, the other ones
    _Atomic uint32_t thread;                          // the kernel's number of its thread, with monitor=1; else 0; written by the owner
    _Atomic uint64_t remote_frees;                    // likewise, blocks of its slabs that others freed and it has taken back
    _Atomic(struct mb_heap *) next_registered;        // written once before the heap is published
    _Atomic(struct mb_heap *) next_parked;            // written by who parks, read by who takes
    struct mb_large_cache_shared kept[MB_LARGE_SETS]; // large blocks, see large_keep.h; filled by the owner, emptied by any thread
};

// What the last walk for statistics found (core/insight/count_units.c). Written by the walking thread, one at a time;
// relaxed.
struct mb_heap_told_shared {
    _Atomic uint64_t free_bytes;    // resident and free, in slabs that this heap has
    _Atomic uint64_t served_before; // blocks that it had served then, and 1; 0: no walk yet
};

// What malloc needs, by class. Written by the owner; statistics do not read it. Arrays of words: one indexed access
// each.
struct mb_front {
    uint64_t mask[MB_CLASSES];  // blocks to hand out
    uint64_t *word[MB_CLASSES]; // the slab's word that the mask was copied from
    uintptr_t base[MB_CLASSES]; // address of the block of bit 0
    uint32_t bytes[MB_CLASSES]; // of a block
};

// By class; arrays of words as in the front.
struct mb_class_slabs {
    struct mb_slab *current[MB_CLASSES]; // the slab that the front belongs to; NULL if none
    struct mb_slab *fresh[MB_CLASSES];   // a CURRENT slab with blocks to carve; may equal current
};

struct mb_class_queues {
    struct mb_queue ready;   // owned slabs worth using again
    struct mb_queue waiting; // owned slabs from which too few blocks have come back yet
};

enum { MB_RING_ORDERS = 16, MB_MOVED_BLOCKS = 128, MB_CALLS_A_TICK = 16 };

// calloc of large blocks (core/large/large_zero.h): those that a new heap clears before it looks for the first time,
// and the longest that giving nothing back is believed to take.
enum { MB_CLEARS_FIRST = 256, MB_PURGE_CALL_NS_MAX = 4000 };

// Empty slabs that a heap keeps in its queues: core/small/own.h.
enum { MB_KEPT_SLABS = 8 };

struct mb_heap_queues {
    struct mb_class_queues of_class[MB_CLASSES];
    struct mb_slab_hint *spare_rings[MB_RING_ORDERS]; // rings of 4 << i entries to use again
    struct mb_slab_hint kept[MB_KEPT_SLABS];          // queued slabs that were empty and kept, the newest at kept_next - 1
    uint32_t kept_next;
};

struct mb_heap {
    struct mb_front front;
    struct mb_class_slabs slabs;
    struct mb_heap_queues *queues;  // made when the first slab is queued; NULL before
    const void *token;              // what the owner word of its slabs says
    uint8_t borrowed[MB_CLASSES];   // blocks that its thread has had from the commons: core/small/share.h
    uint16_t seen[MB_CLASSES];      // what its classes' masks were at the last review
    uint32_t own_bytes;             // what its slabs count in its share
    uint32_t own_part;              // how much that may be, at the last look
    uint32_t slow_calls;            // heartbeat for the purge, of the slower calls
    uint32_t calls_to_tick;         // the same, of quick refills: counts down from MB_CALLS_A_TICK
    uint32_t larges_to_tick;        // and of quick large blocks
    uint32_t clears_left;           // calloc of large blocks: those that are cleared until the next look,
    uint32_t clears_again;          //   and how many it were before it; 0: the last one found a block untouched
    bool clears_doubted;            //   whether the last look found a block touched for the first time,
    uint32_t purge_call_ns;         //   and what giving nothing back takes, as far as it is known
    struct mb_sampler *sampler;     // of the heap profile, made by its first session: core/heap/sampler.h
    uint32_t guard_countdown;       // refills until the next guarded sample; 0: not drawn yet
    uint32_t exit_rounds;           // thread-exit hook: rounds postponed
    uint8_t moved[MB_MOVED_BLOCKS]; // small blocks that realloc moved lately: core/front/realloc.c
    struct mb_heap_shared shared;
    struct mb_heap_told_shared told_shared;
} MB_PAIR_ALIGNED;

extern MB_HIDDEN const struct mb_heap mb_heap_empty;
extern MB_HIDDEN const struct mb_heap mb_heap_departed;

extern MB_HIDDEN MB_THREAD_LOCAL struct mb_heap *mb_heap_self;

extern MB_HIDDEN const char mb_orphanage;

// The owner word of a slab in a forked child whose owner was another thread of the parent. No thread has this heap.
MB_INLINE const void *mb_orphan_owner(void) { return &mb_orphanage; }

// Whether there may be such slabs: set by the child that marks them, before its first malloc; relaxed.
extern MB_HIDDEN struct mb_orphans_shared { _Atomic bool any MB_PAIR_ALIGNED; } mb_orphans_shared;

// The owner word of slabs that the calling thread owns: the token of its heap.
MB_INLINE const void *mb_owner_token(void) { return mb_thread_token(mb_heap_self); }

_Static_assert(sizeof(struct mb_heap) <= 4096, "a heap that uses few classes touches one page");

MB_INLINE bool mb_heap_is_real(const struct mb_heap *heap) { return heap != &mb_heap_empty && heap != &mb_heap_departed; }

#endif
