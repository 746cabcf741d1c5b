#include "core/small/sweep.h"

#include <stdatomic.h>

#include "core/region/arena.h"
#include "core/small/own.h"
#include "core/small/slab_walk.h"

static struct {
    _Atomic size_t cursor[MB_CLASSES]; // next unit to look at; any thread, relaxed: two sweeps may see the same units
} sweep_shared;

// Tidies one slab; its shared word afterwards.
static uint64_t tidy(struct mb_unit *unit) {
    mb_own_adopt_orphan(unit);
    mb_own_claim_if_free(unit);
    return mb_remote_load(unit);
}

static uint32_t free_blocks(const struct mb_unit *unit) {
    return mb_slab_count_free(unit) + MB_PEEK(unit->slab.capacity) - MB_PEEK(unit->slab.carved);
}

static uint32_t an_eighth(const struct mb_unit *unit) { return (MB_PEEK(unit->slab.capacity) + 7) / 8; }

// A hint to the unit, if it is an unowned slab of the class of which an eighth is free (with `any`, one block).
static bool hint_of(struct mb_unit *unit, unsigned class_index, bool any, struct mb_slab_hint *out) {
    if (mb_own_is_in_use(unit) || mb_unit_kind(unit) != MB_UNIT_SLAB) return false;
    uint64_t word = tidy(unit);
    if (atomic_load_explicit(&unit->shared.sampled, memory_order_relaxed) != 0) return false;
    if (mb_remote_state(word) != MB_SLAB_UNOWNED || MB_PEEK(unit->slab.class_index) != class_index) return false;
    if (free_blocks(unit) < (any ? 1 : an_eighth(unit))) return false;
    *out = (struct mb_slab_hint){(uint32_t)mb_unit_index(unit), mb_remote_generation(word)};
    return true;
}

bool mb_sweep_find(unsigned class_index, struct mb_slab_hint *out) {
    if (mb_pool_lost(class_index) == 0) return false; // what is unowned is full, nearly full, hinted at, or on its way home
    _Atomic size_t *cursor = &sweep_shared.cursor[class_index];
    struct mb_slab_walk walk = mb_slab_walk_from(atomic_load_explicit(cursor, memory_order_relaxed));
    bool found = false;
    for (unsigned i = 0; i < MB_SWEEP_UNITS && !found; i++) {
        struct mb_unit *unit = mb_slab_walk_next(&walk);
        if (unit == NULL) break; // where the last round ended, or on a long way without slabs
        found = hint_of(unit, class_index, false, out);
    }
    atomic_store_explicit(cursor, walk.at, memory_order_relaxed);
    if (walk.around || walk.at == 0) mb_pool_round_made(class_index);
    return found;
}

bool mb_sweep_find_any(unsigned class_index, struct mb_slab_hint *out) {
    for (size_t i = mb_arena_next_slab(0); i != MB_NO_UNIT; i = mb_arena_next_slab(i + 1)) {
        if (hint_of(mb_unit_at(i), class_index, true, out)) return true;
    }
    return false;
}
