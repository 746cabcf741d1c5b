// What: looks at a front's slabs and changes nothing: how many blocks are live, whether the invariants hold. Owner
// thread.
#include "core/layout/chain_front.h"

size_t mb_chain_front_live_in(const struct mb_chain_front *front, const struct mb_chain_slab *slab) {
    const struct mb_chain_unit *unit = mb_chain_slab_unit(slab);
    uint32_t idle = mb_chain_remote_count(mb_chain_remote_load(unit));
    if (slab == front->current) idle += 1 + mb_chain_slab_count(&front->key, unit, front->head, slab->capacity);
    struct mb_chain_unit *spare = mb_chain_unit_of(&front->source->space, front->spare);
    if (spare != NULL && mb_chain_slab_first(spare) == unit) idle++;
    return mb_chain_slab_used(slab) - idle;
}

size_t mb_chain_front_live(const struct mb_chain_front *front) {
    size_t live = 0;
    const struct mb_chain_slab *slab;
    for (size_t i = 0; (slab = mb_chain_front_next(front, &i)) != NULL;) live += mb_chain_front_live_in(front, slab);
    return live;
}

// used + listed blocks = carved + bias; every listed slab is on the list, and has a free block or a remote list.
static bool is_sound(const struct mb_chain_front *front, const struct mb_chain_slab *slab) {
    uint32_t bias = slab == front->current;
    uint32_t local = mb_chain_slab_count(&front->key, mb_chain_slab_unit(slab), mb_link_decode(&front->key, slab->local), slab->capacity);
    bool has_free = local != 0 || (slab->flags & MB_CHAIN_NOTICED) != 0 || slab->carved < slab->capacity;
    if (slab->carved > slab->capacity || mb_chain_slab_used(slab) + local != slab->carved + bias) return false;
    return !mb_chain_is_listed(slab) || (bias == 0 && has_free);
}

bool mb_chain_front_check(const struct mb_chain_front *front) {
    size_t listed = 0, units = mb_span_source_units(front->source);
    for (uint32_t n = front->listed.first; n != MB_CHAIN_LIST_END; listed++) {
        const struct mb_chain_slab *slab = &mb_span_source_unit(front->source, n)->slab;
        if (!mb_chain_is_listed(slab) || listed > units) return false;
        n = slab->neighbours.next;
    }
    const struct mb_chain_slab *slab;
    for (size_t i = 0; (slab = mb_chain_front_next(front, &i)) != NULL;) {
        if (!is_sound(front, slab)) return false;
    }
    return true;
}
