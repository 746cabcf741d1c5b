// A pool of equal slots: malloc's slabs, of one size, for one owner.
//
// What: slots are carved in order or popped from a list through the free slots, whose links and tags are keyed
// (core/harden/link_key.h). The pool grows over a range that is committed as it goes, up to its end; empty slabs give their
// pages back beyond a margin. Double frees, foreign and interior pointers and broken links are detected and reported by the
// policy; where it lets the pool live, everything but the broken slot is kept. All that the pool knows lies in mappings of its own.
// Who: one owner thread at a time, watched in check builds; mb_slab_pool_hand_over gives it away. For frees by other threads
// see core/layout/remote_slab.h.
// Idea: Bonwick, "The slab allocator" (1994); keyed links as in core/harden/link_key.h.
#ifndef MB_CORE_LAYOUT_SLAB_POOL_H
#define MB_CORE_LAYOUT_SLAB_POOL_H

#include "core/base/allocator.h"
#include "core/region/source_config.h"

struct mb_slab_pool {
    struct mb_allocator allocator;
    struct mb_slab_pool_state *state; // core/layout/slab_pool_state.h; NULL when dropped
};

MB_PUBLIC_BEGIN

// Slots of slot_bytes (not 0, at most 15 MiB) at multiples of align (a power of two, at most 64 KiB). On failure nothing is
// held: MB_BAD_SIZE, MB_BAD_ALIGN, MB_BAD_CONFIG, MB_REFUSED.
enum mb_error mb_slab_pool_new_with(struct mb_slab_pool *pool, size_t slot_bytes, size_t align,
                                    const struct mb_source_config *config);
// In a lazy region of its own of max_bytes; misuse ends the process.
enum mb_error mb_slab_pool_new(struct mb_slab_pool *pool, size_t slot_bytes, size_t align, size_t max_bytes);

// Returns everything; live slots go with it (said on stderr in check builds). Owner thread, as everything below.
enum mb_error mb_slab_pool_drop(struct mb_slab_pool *pool);
// The next thread that uses the pool becomes its owner.
void mb_slab_pool_hand_over(struct mb_slab_pool *pool);

// A slot, uninitialised. NULL: mb_allocator_last_error is MB_FULL or MB_REFUSED.
void *mb_slab_pool_take(struct mb_slab_pool *pool);
// Gives a slot back; not NULL. MB_DOUBLE_FREE, MB_BAD_POINTER: where the policy does not end the process.
enum mb_error mb_slab_pool_give(struct mb_slab_pool *pool, void *p);

// Bytes of each slot: slot_bytes rounded up to align and to 16.
size_t mb_slab_pool_slot_bytes(const struct mb_slab_pool *pool);
// Gives the pages of everything that is free back to the system. Bytes given back.
size_t mb_slab_pool_trim(struct mb_slab_pool *pool);
// Slots in use; walks the slabs.
size_t mb_slab_pool_live(const struct mb_slab_pool *pool);

MB_PUBLIC_END

#endif
