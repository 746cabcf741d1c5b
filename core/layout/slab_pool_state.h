// What a pool knows, and its two hot functions for inlining within the library.
#ifndef MB_CORE_LAYOUT_SLAB_POOL_STATE_H
#define MB_CORE_LAYOUT_SLAB_POOL_STATE_H

#include "core/base/owner.h"
#include "core/layout/slab_front.h"
#include "core/layout/slab_pool.h"

// Lies at the start of the mapping `home`.
struct mb_slab_pool_state {
    struct mb_owner owner;
    enum mb_error error; // of the last call that failed
    struct mb_slab_front front;
    struct mb_span_source source;
    struct mb_reports reports;
    size_t align; // of every slot
    struct mb_region home;
};

MB_INLINE void *mb_slab_pool_take_fast(struct mb_slab_pool_state *pool) {
    mb_owner_check(&pool->owner, pool);
    return mb_slab_front_allocate(&pool->front, &pool->error);
}

enum mb_error mb_slab_pool_foreign_slow(struct mb_slab_pool_state *pool, const void *p);

MB_INLINE enum mb_error mb_slab_pool_give_fast(struct mb_slab_pool_state *pool, void *p) {
    mb_owner_check(&pool->owner, pool);
    struct mb_unit *unit = mb_space_unit_of(&pool->source.space, p);
    if (MB_UNLIKELY(unit == NULL)) return mb_slab_pool_foreign_slow(pool, p);
    return mb_slab_front_deallocate(&pool->front, unit, p);
}

#endif
