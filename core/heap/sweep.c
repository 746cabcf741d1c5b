#include "core/heap/sweep.h"

#include <stdatomic.h>

#include "core/heap/own.h"
#include "core/region/arena.h"

static struct {
    _Atomic size_t cursor[MB_CLASSES]; // next unit to look at; any thread, relaxed: two sweeps may see the same units
} sweep_shared;

// Tidies one slab; its shared word afterwards.
static uint64_t tidy(struct mb_unit *unit) {
    mb_own_adopt_orphan(unit);
    mb_own_claim_if_free(unit);
    return mb_remote_load(unit);
}

static bool worth_adopting(const struct mb_unit *unit, uint64_t word, unsigned class_index) {
    if (mb_remote_state(word) != MB_SLAB_UNOWNED || MB_PEEK(unit->slab.class_index) != class_index) return false;
    uint32_t capacity = MB_PEEK(unit->slab.capacity);
    return mb_slab_count_free(unit) + (capacity - MB_PEEK(unit->slab.carved)) >= (capacity + 7) / 8;
}

bool mb_sweep_find(unsigned class_index, struct mb_slab_hint *out) {
    if (!mb_pool_ever_used()) return false; // everything unowned is full or on its way home
    size_t end = mb_arena_units();
    size_t start = atomic_fetch_add_explicit(&sweep_shared.cursor[class_index], MB_SWEEP_UNITS, memory_order_relaxed);
    for (size_t i = 0; i < MB_SWEEP_UNITS && i < end; i++) {
        struct mb_unit *unit = mb_unit_at((start + i) % end);
        if (mb_unit_kind(unit) != MB_UNIT_SLAB) continue;
        uint64_t word = tidy(unit);
        if (!worth_adopting(unit, word, class_index)) continue;
        *out = (struct mb_slab_hint){(uint32_t)mb_unit_index(unit), mb_remote_generation(word)};
        return true;
    }
    return false;
}
