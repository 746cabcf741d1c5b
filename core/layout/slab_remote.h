// The shared word of a slab: who may touch the owner's part, and the list of blocks that other threads freed.
//
//   bits 0-15   head: (address of the newest block - start) / 16, 0xffff when empty
//   bits 16-31  count of blocks on the list
//   bits 32-34  state
//   bits 35-63  generation, raised by every change of state
//
// States, and who may leave them by one compare-and-swap on the whole word:
//
//   NONE     no slab                              -> CURRENT by the thread that took the span (plain store)
//   CURRENT  a heap allocates from it             -> QUEUED, UNOWNED         by its owner
//   QUEUED   owned, waits in its owner's queue    -> CURRENT, UNOWNED, NONE  by its owner; NONE by anyone when count == used
//   UNOWNED  nobody may touch the owner's part    -> CURRENT, QUEUED         by any heap (adoption); NONE by anyone when count == used
//
// A queue or pool entry is a pair (unit, generation): when the generation has moved on, the entry just drops.
// Who: any thread. Lock-free, unbounded, no allocation.
// Order: a push releases the links it wrote; collect and adoption acquire them; leaving ownership releases the owner's part.
// Ideas: message queues of snmalloc, thread-delayed frees of mimalloc; the claim by counting is ours.
#ifndef MB_CORE_LAYOUT_SLAB_REMOTE_H
#define MB_CORE_LAYOUT_SLAB_REMOTE_H

#include "core/layout/block_list.h"
#include "core/region/unit.h"

enum mb_slab_state { MB_SLAB_NONE, MB_SLAB_CURRENT, MB_SLAB_QUEUED, MB_SLAB_UNOWNED };

enum {
    MB_REMOTE_EMPTY = 0xffff,
    MB_REMOTE_COUNT_SHIFT = 16,
    MB_REMOTE_STATE_SHIFT = 32,
    MB_REMOTE_GENERATION_SHIFT = 35,
};

MB_INLINE uint64_t mb_remote_word(enum mb_slab_state state, uint64_t generation) {
    return generation << MB_REMOTE_GENERATION_SHIFT | (uint64_t)state << MB_REMOTE_STATE_SHIFT | MB_REMOTE_EMPTY;
}
MB_INLINE uint32_t mb_remote_head(uint64_t word) { return word & 0xffff; }
MB_INLINE uint32_t mb_remote_count(uint64_t word) { return (uint32_t)(word >> MB_REMOTE_COUNT_SHIFT) & 0xffff; }
MB_INLINE enum mb_slab_state mb_remote_state(uint64_t word) {
    return (enum mb_slab_state)(word >> MB_REMOTE_STATE_SHIFT & 7);
}
MB_INLINE uint32_t mb_remote_generation(uint64_t word) { return (uint32_t)(word >> MB_REMOTE_GENERATION_SHIFT); }

MB_INLINE uint64_t mb_remote_load(const struct mb_unit *unit) {
    return atomic_load_explicit(&unit->shared.remote, memory_order_acquire);
}

MB_INLINE uintptr_t mb_remote_head_address(uint64_t word, uintptr_t start) {
    uint32_t head = mb_remote_head(word);
    return head == MB_REMOTE_EMPTY ? mb_list_end(start) : start + (uintptr_t)head * MB_GRANULE;
}

// Changes the state if the word still is `seen`; the list stays. Any thread that the table above allows.
MB_INLINE bool mb_remote_change(struct mb_unit *unit, uint64_t seen, enum mb_slab_state to) {
    uint64_t list = seen & UINT64_C(0xffffffff);
    uint64_t next = mb_remote_word(to, (uint64_t)mb_remote_generation(seen) + 1);
    next = (next & ~UINT64_C(0xffffffff)) | list;
    return atomic_compare_exchange_strong_explicit(&unit->shared.remote, &seen, next, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

// Pushes a block of the slab that starts at `start`; returns the word as it was made. Any thread.
MB_INLINE uint64_t mb_remote_push(struct mb_unit *unit, struct mb_free_block *block, uintptr_t start) {
    uint64_t seen = atomic_load_explicit(&unit->shared.remote, memory_order_relaxed);
    uint64_t next;
    mb_tag_store(block, mb_link_encode((uintptr_t)block));
    do {
        mb_link_store(block, mb_link_encode(mb_remote_head_address(seen, start)));
        uint64_t index = ((uintptr_t)block - start) / MB_GRANULE;
        next = ((seen & ~UINT64_C(0xffff)) | index) + (UINT64_C(1) << MB_REMOTE_COUNT_SHIFT);
    } while (!atomic_compare_exchange_weak_explicit(&unit->shared.remote, &seen, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return next;
}

// Takes the whole list; returns the word as it was before. Owner of the slab.
MB_INLINE uint64_t mb_remote_collect(struct mb_unit *unit) {
    uint64_t seen = mb_remote_load(unit);
    uint64_t next;
    do {
        if (mb_remote_count(seen) == 0) return seen;
        next = (seen & ~UINT64_C(0xffffffff)) | MB_REMOTE_EMPTY;
    } while (!atomic_compare_exchange_weak_explicit(&unit->shared.remote, &seen, next, memory_order_acq_rel,
                                                    memory_order_acquire));
    return seen;
}

#endif
