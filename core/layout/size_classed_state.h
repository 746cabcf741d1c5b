// What a size-classed allocator knows, and its two hot functions for inlining within the library.
#ifndef MB_CORE_LAYOUT_SIZE_CLASSED_STATE_H
#define MB_CORE_LAYOUT_SIZE_CLASSED_STATE_H

#include "core/base/owner.h"
#include "core/layout/size_classed.h"
#include "core/layout/slab_front.h"

// Lies at the start of the mapping `home`.
struct mb_size_classed_state {
    struct mb_owner owner;
    enum mb_error error; // of the last call that failed
    struct mb_span_source source;
    struct mb_reports reports;
    struct mb_region home;
    struct mb_slab_front fronts[MB_CLASSES];
};

void *mb_size_classed_allocate_slow(struct mb_size_classed_state *classed, size_t bytes, size_t align);
enum mb_error mb_size_classed_deallocate_slow(struct mb_size_classed_state *classed, void *p);

MB_INLINE void *mb_size_classed_allocate_fast(struct mb_size_classed_state *classed, size_t bytes, size_t align) {
    mb_owner_check(&classed->owner, classed);
    struct mb_free_block *block = NULL;
    bool small = bytes - 1 < MB_MEDIUM_MAX && mb_is_pow2(align) && align <= MB_GRANULE; // bytes 0 wraps round
    if (MB_UNLIKELY(!small || !mb_list_pop_tagged(&classed->fronts[mb_class_of(bytes)].head, &block))) {
        return mb_size_classed_allocate_slow(classed, bytes, align);
    }
    return block;
}

MB_INLINE enum mb_error mb_size_classed_deallocate_fast(struct mb_size_classed_state *classed, void *p) {
    mb_owner_check(&classed->owner, classed);
    struct mb_unit *unit = mb_space_unit_of(&classed->source.space, p);
    if (MB_UNLIKELY(unit == NULL || !mb_slab_admits(&unit->slab, p))) return mb_size_classed_deallocate_slow(classed, p);
    return mb_slab_front_deallocate(&classed->fronts[unit->slab.class_index], unit, p);
}

#endif
