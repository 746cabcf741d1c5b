// Changes of a slab's ownership as one heap sees them: current, queued, unowned, gone. Names say from which state to
// which. Owner thread of `heap` unless a function says otherwise.
#ifndef MB_CORE_SMALL_OWN_H
#define MB_CORE_SMALL_OWN_H

#include <stdbool.h>

#include "core/heap/self.h"

// Makes a word of the slab's free bits the mask of its class; false when it has none that costs no fresh page. The mask
// is empty.
bool mb_own_use_local(struct mb_heap *heap, struct mb_slab *slab);
bool mb_own_use_remote(struct mb_heap *heap, struct mb_slab *slab);
bool mb_own_use_carved(struct mb_heap *heap, struct mb_slab *slab);
// The second one if it is worth it: an owner that takes back few blocks at a time shares their lines with the thread
// that is freeing more.
bool mb_own_use_remote_batch(struct mb_heap *heap, struct mb_slab *slab);

// The hinted slab becomes CURRENT and ours; NULL when the hint is stale.
struct mb_slab *mb_own_queued_to_current(const struct mb_heap *heap, struct mb_slab_hint hint);
struct mb_slab *mb_own_unowned_to_current(const struct mb_heap *heap, struct mb_slab_hint hint);

// Whether free pages of the hinted slab are being given back right now: then it cannot become CURRENT. Any thread.
bool mb_own_is_busy(struct mb_slab_hint hint);

// A heap that frees a block of a slab that it has owned before takes the slab back into its queue. NULL: another thread
// was faster.
struct mb_slab *mb_own_unowned_to_queued(struct mb_heap *heap, struct mb_unit *unit);

// A queued slab of ours from which as many blocks have come back as it waited for. `seen`: its word while it was ours.
void mb_own_waiting_to_ready(struct mb_heap *heap, struct mb_unit *unit, uint64_t seen);

// Whether a slab of ours, after a free that its owner wanted to know of, may be kept: it is empty, waits in the queue,
// and there are few threads. `seen`: its word while it was ours. Keeping it returns the slab that was kept
// MB_KEPT_SLABS times ago and is still unused, which should then go back to the arena; NULL: there is none. Others may
// claim a kept slab at any time, as walks over all slabs do.
bool mb_own_may_keep_empty(const struct mb_unit *unit, uint64_t seen);
struct mb_unit *mb_own_keep_empty(struct mb_heap *heap, const struct mb_unit *unit, uint64_t seen);

// Lets go of a slab that has no free block left for its owner and too few that others have freed. Threads that free
// more of them leave a hint.
void mb_own_let_go(struct mb_heap *heap, struct mb_slab *slab);

// The same for the current slab of a class, which has no free block of its owner's: the slab that has waited longest in
// the queue becomes the current one instead, and is returned. NULL, and nothing has changed, if there is none, the
// current slab has blocks to carve, or another thread has freed some of its blocks.
struct mb_slab *mb_own_exchange_full(struct mb_heap *heap, size_t class_index);

// Lets a slab go that may have free blocks, for others to adopt; empty ones go back to the arena.
void mb_own_release(struct mb_heap *heap, struct mb_slab *slab);

// All of the heap's slabs go, or those of a class: to the pool or the arena.
void mb_own_release_class(struct mb_heap *heap, unsigned class_index);
void mb_own_release_all(struct mb_heap *heap);

// Whether a walk may skip the slab, because a thread allocates from it. Does not read the line that its owner writes
// at each free. Any thread.
MB_INLINE bool mb_own_is_in_use(const struct mb_unit *unit) {
    if (MB_UNLIKELY(atomic_load_explicit(&mb_orphans_shared.any, memory_order_relaxed))) return false;
    return mb_remote_state(mb_remote_load(unit)) == MB_SLAB_CURRENT;
}

// Takes a slab whose blocks are all free for the arena, if it is one. Any thread.
bool mb_own_claim_if_free(struct mb_unit *unit);

// Adopts a slab that a thread left behind in a forked parent; its counters are made anew and it becomes UNOWNED. Any
// thread of the child.
bool mb_own_adopt_orphan(struct mb_unit *unit);

#endif
