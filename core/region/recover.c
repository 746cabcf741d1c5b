#include "core/region/recover.h"

#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/changed.h"
#include "core/region/purge.h"
#include "core/region/unit.h"
#include "platform/os.h"

static size_t span_units(const struct mb_unit *unit) {
    switch (mb_unit_kind(unit)) {
    case MB_UNIT_SLAB: return 1;
    case MB_UNIT_LARGE:
    case MB_UNIT_HOLE: return unit->slab.large_units;
    case MB_UNIT_NONE: break;
    }
    return 0;
}

// A unit that was in the hands of an absent thread: half a span, which may have a guard page in it.
static void recover_unit(size_t unit) {
    mb_unit_at(unit)->slab = (struct mb_slab){0};
    if (mb_os_renew((void *)mb_unit_address(unit), MB_UNIT_BYTES) != 0) return;
    mb_changed_forget(unit, 1);
    mb_map_set_committed(&mb_arena_map, unit, 1);
    mb_map_set_cold(&mb_arena_map, unit, 1);
    mb_map_release(&mb_arena_map, unit, 1);
}

void mb_arena_recover_units(void) {
    size_t end = mb_arena_units();
    size_t warm_units = 0;
    for (size_t unit = 0; unit < end;) {
        size_t units = span_units(mb_unit_at(unit));
        if (units == 0) {
            if (!mb_map_is_free(&mb_arena_map, unit)) recover_unit(unit);
            warm_units += mb_map_count_warm(&mb_arena_map, unit, 1);
            units = 1;
        }
        unit += units;
    }
    atomic_store_explicit(&mb_purge_shared.warm_free_units, warm_units, memory_order_relaxed);
}
