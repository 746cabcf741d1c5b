// A general-purpose allocator for one owner: malloc's size classes and slabs over any range.
//
// What: requests up to 32 KiB come from slabs of malloc's class table (core/layout/size_class.h), larger ones get spans
// of their own, which are really freed. Owner and size of a block are found by arithmetic on its address. It resets in
// one go. Detects double frees, foreign and interior pointers and broken links, as the pool does. All that it knows
// lies in mappings of its own.
// Who: one owner thread at a time, watched in check builds; mb_size_classed_hand_over gives it away.
#ifndef MB_CORE_LAYOUT_SIZE_CLASSED_H
#define MB_CORE_LAYOUT_SIZE_CLASSED_H

#include "core/base/owner.h"
#include "core/layout/chain_front.h"
#include "core/layout/size_class.h"
#include "core/region/source_config.h"

// The allocator's data, at the start of the mapping `home`, where an overflow next to the struct below cannot reach it.
struct mb_size_classed_state {
    struct mb_span_source source;
    struct mb_owner owner;
    enum mb_error error; // of the last call that failed
    struct mb_reports reports;
    struct mb_region home;
    struct mb_chain_front fronts[MB_CLASSES];
};

struct mb_size_classed {
    struct mb_allocator allocator;
    struct mb_size_classed_state *state; // NULL when dropped
};

MB_PUBLIC_BEGIN

// On failure nothing is held: MB_BAD_SIZE, MB_BAD_CONFIG, MB_REFUSED.
enum mb_error mb_size_classed_new_with(struct mb_size_classed *classed, const struct mb_source_config *config);
// In a lazy region of its own of max_bytes; misuse ends the process.
enum mb_error mb_size_classed_new(struct mb_size_classed *classed, size_t max_bytes);

// Returns everything; live blocks go with it (said on stderr in check builds). Owner thread, as everything below.
// MB_REFUSED: as mb_slab_pool_drop.
enum mb_error mb_size_classed_drop(struct mb_size_classed *classed);
// The next thread that uses the allocator becomes its owner.
void mb_size_classed_hand_over(struct mb_size_classed *classed);

void *mb_size_classed_allocate_slow(struct mb_size_classed *classed, size_t bytes, size_t align);
enum mb_error mb_size_classed_deallocate_slow(struct mb_size_classed *classed, void *p);

// `bytes` bytes (not 0) at a multiple of align, a power of two. NULL: mb_allocator_last_error says why.
MB_INLINE void *mb_size_classed_allocate(struct mb_size_classed *classed, size_t bytes, size_t align) {
    mb_owner_check(&classed->state->owner, classed);
    bool small = bytes - 1 < MB_MEDIUM_MAX && mb_is_pow2(align) && align <= MB_GRANULE; // bytes 0 wraps round
    if (MB_UNLIKELY(!small)) return mb_size_classed_allocate_slow(classed, bytes, align);
    struct mb_free_block *block = mb_chain_front_take(&classed->state->fronts[mb_class_of(bytes)]);
    return MB_LIKELY(block != NULL) ? block : mb_size_classed_allocate_slow(classed, bytes, align);
}

// Not NULL. MB_DOUBLE_FREE, MB_BAD_POINTER: where the policy does not end the process.
MB_INLINE enum mb_error mb_size_classed_deallocate(struct mb_size_classed *classed, void *p) {
    struct mb_size_classed_state *state = classed->state;
    mb_owner_check(&state->owner, classed);
    struct mb_chain_unit *unit = mb_chain_unit_of(&state->source.space, p);
    if (MB_UNLIKELY(unit == NULL || !mb_chain_slab_admits(&unit->slab, p))) return mb_size_classed_deallocate_slow(classed, p);
    return mb_chain_front_deallocate(&state->fronts[unit->slab.class_index], unit, p);
}

// Usable bytes from p on; 0: no live block.
size_t mb_size_classed_usable_size(const struct mb_size_classed *classed, const void *p);

// Gives the pages of everything that is free back to the system. Bytes given back.
size_t mb_size_classed_trim(struct mb_size_classed *classed);
// Live blocks, large ones included; walks everything.
size_t mb_size_classed_live(const struct mb_size_classed *classed);

MB_PUBLIC_END

#endif
