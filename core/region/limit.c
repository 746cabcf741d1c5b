#include "core/region/limit.h"

#include "core/region/arena.h"
#include "core/region/arena_map.h"

struct mb_limit_shared mb_limit_shared;

void mb_limit_recover(void) {
    size_t warm = mb_map_count_warm(&mb_arena_map, 0, mb_arena_units());
    atomic_store_explicit(&mb_limit_shared.held_units, warm, memory_order_relaxed);
}

uint64_t mb_arena_fresh_bytes(void) { return atomic_load_explicit(&mb_limit_shared.fresh_units, memory_order_relaxed) << MB_UNIT_SHIFT; }

bool mb_arena_is_aged(size_t unit) { return (mb_map_purgeable_old(&mb_arena_map, unit / 64) >> unit % 64 & 1) != 0; }
