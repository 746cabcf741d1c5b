// A pool of equal slots, for one owner.
//
// What: slots are carved in order or popped from a list through the free slots, whose links and tags are keyed
// (core/harden/link_key.h). The pool grows over a range that is committed as it goes, up to its end; empty slabs give
// their pages back beyond a margin. Double frees, foreign and interior pointers and broken links are detected and
// reported by the policy; where it lets the pool live, everything but the broken slot is kept. All that the pool knows
// lies in mappings of its own. Taking and giving are inline: no call, no lock.
// Who: one owner thread at a time, watched in check builds; mb_slab_pool_hand_over gives it away. For frees by other
// threads see core/layout/remote_slab.h.
// Idea: Bonwick, "The slab allocator" (1994); keyed links as in core/harden/link_key.h.
#ifndef MB_CORE_LAYOUT_SLAB_POOL_H
#define MB_CORE_LAYOUT_SLAB_POOL_H

#include "core/base/owner.h"
#include "core/layout/chain_front.h"
#include "core/region/source_config.h"

// What the pool knows: at the start of the mapping `home`, out of reach of what runs over the struct below.
struct mb_slab_pool_state {
    struct mb_span_source source;
    struct mb_chain_front front;
    struct mb_owner owner;
    enum mb_error error; // of the last call that failed
    struct mb_reports reports;
    size_t align; // of every slot
    struct mb_region home;
};

struct mb_slab_pool {
    struct mb_allocator allocator;
    struct mb_slab_pool_state *state; // NULL when dropped
};

MB_PUBLIC_BEGIN

// Slots of slot_bytes (not 0, at most 16 MiB - 64 KiB) at multiples of align (a power of two, at most 64 KiB). On
// failure nothing is held: MB_BAD_SIZE (also where not one slot fits into the range), MB_BAD_ALIGN, MB_BAD_CONFIG,
// MB_REFUSED.
enum mb_error mb_slab_pool_new_with(struct mb_slab_pool *pool, size_t slot_bytes, size_t align,
                                    const struct mb_source_config *config);
// In a lazy region of its own of max_bytes; misuse ends the process.
enum mb_error mb_slab_pool_new(struct mb_slab_pool *pool, size_t slot_bytes, size_t align, size_t max_bytes);

// Returns everything; live slots go with it (said on stderr in check builds). Owner thread, as everything below.
// MB_REFUSED: the system kept a part; nothing is lost, and dropping again is the only thing left to do. Dropping twice
// is allowed.
enum mb_error mb_slab_pool_drop(struct mb_slab_pool *pool);
// The next thread that uses the pool becomes its owner.
void mb_slab_pool_hand_over(struct mb_slab_pool *pool);

// A slot, uninitialised. NULL: mb_allocator_last_error is MB_FULL or MB_REFUSED.
MB_INLINE void *mb_slab_pool_take(struct mb_slab_pool *pool) {
    struct mb_slab_pool_state *state = pool->state;
    mb_owner_check(&state->owner, pool);
    return mb_chain_front_allocate(&state->front, &state->error);
}

enum mb_error mb_slab_pool_foreign_slow(struct mb_slab_pool *pool, const void *p);

// Gives a slot back; not NULL. MB_DOUBLE_FREE, MB_BAD_POINTER: where the policy does not end the process.
MB_INLINE enum mb_error mb_slab_pool_give(struct mb_slab_pool *pool, void *p) {
    struct mb_slab_pool_state *state = pool->state;
    mb_owner_check(&state->owner, pool);
    struct mb_chain_unit *unit = mb_chain_unit_of(&state->source.space, p);
    if (MB_UNLIKELY(unit == NULL)) return mb_slab_pool_foreign_slow(pool, p);
    return mb_chain_front_deallocate(&state->front, unit, p);
}

// Bytes of each slot: slot_bytes rounded up to align and to 16.
size_t mb_slab_pool_slot_bytes(const struct mb_slab_pool *pool);
// Gives the pages of everything that is free back to the system. Bytes given back.
size_t mb_slab_pool_trim(struct mb_slab_pool *pool);
// Slots in use; walks the slabs.
size_t mb_slab_pool_live(const struct mb_slab_pool *pool);

MB_PUBLIC_END

#endif
