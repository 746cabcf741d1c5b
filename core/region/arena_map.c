#include "core/region/arena_map.h"

#include "core/region/arena.h"

enum { MAP_CHUNKS = 4096 }; // 1 TiB of units

static struct {
    _Atomic(struct mb_map_chunk_shared *) chunks[MAP_CHUNKS]; // written once each under the arena's lock (release)
    struct mb_map_chunk_shared first; // no metadata needed to start
} map_shared;

const struct mb_unit_map mb_arena_map = {map_shared.chunks, MAP_CHUNKS};

static struct mb_map_chunk_shared *make_chunk(void *context) {
    (void)context;
    if (atomic_load_explicit(&map_shared.chunks[0], memory_order_relaxed) == NULL) return &map_shared.first;
    return mb_arena_metadata(sizeof(struct mb_map_chunk_shared), 64);
}

bool mb_arena_map_extend(size_t units) { return mb_map_extend(&mb_arena_map, units, make_chunk, NULL); }
