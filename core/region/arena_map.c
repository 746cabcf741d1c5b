#include "core/region/arena_map.h"

#include "core/region/arena.h"

enum {
    MAP_CHUNKS = 4096,                // 1 TiB of units
    UPPER_RUNS = 512 + 64 + 8 + 1, // of so many: mb_map_upper_runs
};

static struct {
    struct mb_map_top_shared top;
    struct mb_map_chunk_shared first; // no metadata needed to start
    _Atomic(struct mb_map_chunk_shared *) chunks[MAP_CHUNKS]; // written once each under the arena's lock (release)
    struct mb_map_runs_shared upper[UPPER_RUNS];
} map_shared;

const struct mb_unit_map mb_arena_map = {map_shared.chunks, MAP_CHUNKS, &map_shared.top, map_shared.upper};

static struct mb_map_chunk_shared *make_chunk(void *context) {
    (void)context;
    if (atomic_load_explicit(&map_shared.chunks[0], memory_order_relaxed) == NULL) return &map_shared.first;
    return mb_arena_metadata(sizeof(struct mb_map_chunk_shared), 64);
}

void mb_arena_note_slab(size_t unit) { mb_map_set_slab(&mb_arena_map, unit); }
void mb_arena_forget_slab(size_t unit) { mb_map_clear_slab(&mb_arena_map, unit); }

size_t mb_arena_next_slab(size_t unit) { return mb_map_next_slab(&mb_arena_map, unit, mb_arena_units()); }
size_t mb_arena_next_slab_near(size_t unit) {
    return mb_map_next_slab(&mb_arena_map, unit, mb_min(unit + MB_NEAR_UNITS, mb_arena_units()));
}
size_t mb_arena_next_other(size_t unit) { return mb_map_next_other(&mb_arena_map, unit, mb_arena_units()); }

bool mb_arena_map_extend(size_t units) { return mb_map_extend(&mb_arena_map, units, make_chunk, NULL); }
