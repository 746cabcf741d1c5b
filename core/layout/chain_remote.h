// The shared word of a member's slab: the list of blocks that other threads freed.
//
//   bits 0-15   head: (address of the newest block - start) / 16, 0xffff when empty
//   bits 16-31  count of blocks on the list
//
// What: blocks are pushed one by one and taken all at once, so a word that has come back means the same list (no ABA),
// and a list that counts as many blocks as are in use proves that no block of the slab is live.
// Who: any thread pushes; the owner collects. Lock-free, unbounded, no allocation.
// Order: a push releases the links it wrote; collect acquires them.
// Ideas: message queues of snmalloc, thread-delayed frees of mimalloc.
#ifndef MB_CORE_LAYOUT_CHAIN_REMOTE_H
#define MB_CORE_LAYOUT_CHAIN_REMOTE_H

#include "core/layout/block_list.h"
#include "core/region/chain_unit.h"

enum { MB_CHAIN_REMOTE_EMPTY = 0xffff, MB_CHAIN_REMOTE_COUNT_SHIFT = 16 };

MB_INLINE uint32_t mb_chain_remote_count(uint32_t word) { return word >> MB_CHAIN_REMOTE_COUNT_SHIFT; }

MB_INLINE uint32_t mb_chain_remote_load(const struct mb_chain_unit *unit) {
    return atomic_load_explicit(&unit->shared.remote, memory_order_acquire);
}

MB_INLINE uintptr_t mb_chain_remote_head(uint32_t word, uintptr_t start) {
    uint32_t head = word & MB_CHAIN_REMOTE_EMPTY;
    return head == MB_CHAIN_REMOTE_EMPTY ? mb_list_end(start) : start + (uintptr_t)head * MB_GRANULE;
}

// Pushes a block of the slab that starts at `start`; returns the word as it was made. Any thread.
MB_INLINE uint32_t mb_chain_remote_push(const struct mb_link_key *key, struct mb_chain_unit *unit, struct mb_free_block *block,
                                        uintptr_t start) {
    uint32_t seen = atomic_load_explicit(&unit->shared.remote, memory_order_relaxed);
    uint32_t next, index = (uint32_t)(((uintptr_t)block - start) / MB_GRANULE);
    mb_tag_store(block, mb_link_encode(key, (uintptr_t)block));
    do {
        mb_link_store(block, mb_link_encode(key, mb_chain_remote_head(seen, start)));
        next = (mb_chain_remote_count(seen) + 1) << MB_CHAIN_REMOTE_COUNT_SHIFT | index;
    } while (!atomic_compare_exchange_weak_explicit(&unit->shared.remote, &seen, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return next;
}

// Takes the whole list; returns the word as it was before. Owner of the slab.
MB_INLINE uint32_t mb_chain_remote_collect(struct mb_chain_unit *unit) {
    return atomic_exchange_explicit(&unit->shared.remote, MB_CHAIN_REMOTE_EMPTY, memory_order_acq_rel);
}

#endif
