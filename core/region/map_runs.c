#include "core/region/map_runs.h"

size_t mb_map_upper_runs(size_t chunks) {
    size_t eights, runs = 0;
    unsigned level = MB_MAP_LEVEL_UPPER;
    do runs += eights = mb_map_eights(chunks, level++);
    while (eights > 1);
    return runs;
}

static struct mb_map_runs_shared *upper_runs(const struct mb_unit_map *map, unsigned level, size_t eight) {
    size_t below = 0;
    for (unsigned l = MB_MAP_LEVEL_UPPER; l < level; l++) below += mb_map_eights(map->limit, l);
    return eight < mb_map_eights(map->limit, level) ? &map->upper[below + eight] : NULL;
}

struct mb_map_runs_shared *mb_map_runs_of(const struct mb_unit_map *map, unsigned level, size_t index) {
    if (level >= MB_MAP_LEVEL_UPPER) return upper_runs(map, level, index / MB_RUN_PARTS);
    size_t word = level == 1 ? index : index * MB_RUN_PARTS;
    if (word / MB_MAP_CHUNK_WORDS >= map->limit) return NULL;
    struct mb_map_chunk_shared *chunk = mb_map_chunk_of(map, word);
    if (chunk == NULL) return NULL;
    return level == 1 ? &chunk->words[word % MB_MAP_CHUNK_WORDS / MB_RUN_PARTS] : &chunk->parts;
}

uint64_t mb_map_bits(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word) {
    const struct mb_map_word_shared *bits = mb_map_word_of(map, word);
    uint64_t free = atomic_load_explicit(&bits->free, memory_order_seq_cst);
    if (free == 0 || plane == MB_MAP_FREE) return free;
    if (plane == MB_MAP_WARM) return free & atomic_load_explicit(&bits->warm, memory_order_relaxed);
    return free & ~atomic_load_explicit(&bits->bare, memory_order_relaxed);
}

// Each of these computes a part from what is below it, until it says what is there now: true when it has changed.

static bool refresh_word_part(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word) {
    _Atomic uint64_t *part = &mb_map_runs_of(map, 1, word)->part[plane][word % MB_RUN_PARTS];
    uint64_t summed = 0, now = 0; // no free units
    for (bool changed = false;;) {
        uint64_t seen = atomic_load_explicit(part, memory_order_seq_cst), bits = mb_map_bits(map, plane, word);
        if (bits != summed) now = mb_run_of_bits(summed = bits);
        if (seen == now) return changed;
        changed |= atomic_compare_exchange_strong_explicit(part, &seen, now, memory_order_seq_cst, memory_order_relaxed);
    }
}

// True when the eight parts are not what was seen last.
static bool look_at_parts(const _Atomic uint64_t *parts, uint64_t last[MB_RUN_PARTS]) {
    uint64_t differs = 0;
    for (unsigned i = 0; i < MB_RUN_PARTS; i++) {
        uint64_t part = atomic_load_explicit(&parts[i], memory_order_seq_cst);
        differs |= part ^ last[i];
        last[i] = part;
    }
    return differs != 0;
}

static bool refresh_upper_part(const struct mb_unit_map *map, enum mb_map_plane plane, unsigned level, size_t index) {
    _Atomic uint64_t *part = &mb_map_runs_of(map, level, index)->part[plane][index % MB_RUN_PARTS];
    const struct mb_map_runs_shared *runs = NULL; // below; NULL where the map does not reach yet
    uint64_t summed[MB_RUN_PARTS] = {0}, now = 0;
    for (bool changed = false;;) {
        uint64_t seen = atomic_load_explicit(part, memory_order_seq_cst);
        if (runs == NULL) runs = mb_map_runs_of(map, level - 1, index * MB_RUN_PARTS);
        if (runs != NULL && look_at_parts(runs->part[plane], summed)) now = mb_run_join(summed, mb_map_part_units(level - 1));
        if (seen == now) return changed;
        changed |= atomic_compare_exchange_strong_explicit(part, &seen, now, memory_order_seq_cst, memory_order_relaxed);
    }
}

static bool refresh_part(const struct mb_unit_map *map, enum mb_map_plane plane, unsigned level, size_t index) {
    return level == 1 ? refresh_word_part(map, plane, index) : refresh_upper_part(map, plane, level, index);
}

// True when a part between these two has changed.
static bool refresh_parts(const struct mb_unit_map *map, enum mb_map_plane plane, unsigned level, size_t first, size_t last) {
    bool changed = false;
    for (size_t index = first; index <= last; index++) changed |= refresh_part(map, plane, level, index);
    return changed;
}

static size_t part_of_word(size_t word, unsigned level) { return word >> 3 * (level - 1); }

// Planes that are kept now.
static unsigned kept_planes(const struct mb_unit_map *map) {
    return atomic_load_explicit(&map->top->keeps_committed, memory_order_seq_cst) ? MB_MAP_PLANES : MB_MAP_COMMITTED;
}

static void refresh_plane(const struct mb_unit_map *map, enum mb_map_plane plane, size_t first, size_t last) {
    bool changed = true;
    for (unsigned level = 1; changed && level <= mb_map_top_level(map); level++) {
        changed = refresh_parts(map, plane, level, part_of_word(first, level), part_of_word(last, level));
    }
}

void mb_map_refresh(const struct mb_unit_map *map, size_t first_word, size_t last_word) {
    unsigned kept = kept_planes(map);
    for (unsigned plane = 0; plane < kept; plane++) refresh_plane(map, (enum mb_map_plane)plane, first_word, last_word);
}

void mb_map_refresh_all_above(const struct mb_unit_map *map, size_t first_word, size_t last_word) {
    unsigned kept = kept_planes(map);
    for (unsigned level = 1; level <= mb_map_top_level(map); level++) {
        for (unsigned plane = 0; plane < kept; plane++) {
            refresh_parts(map, (enum mb_map_plane)plane, level, part_of_word(first_word, level), part_of_word(last_word, level));
        }
    }
}

// --- making parts anew -----------------------------------------------------------------------------------------------

// All levels, whether those below have changed or not.
static void refresh_all(const struct mb_unit_map *map, enum mb_map_plane plane, size_t units) {
    for (unsigned level = 1; level <= mb_map_top_level(map); level++) {
        size_t parts = (units + mb_map_part_units(level) - 1) / mb_map_part_units(level);
        if (parts > 0) refresh_parts(map, plane, level, 0, parts - 1);
    }
}

// From now on a thread that changes a part below also updates this one, and a thread that begins to keep a plane
// includes this level.
static void raise_top(const struct mb_unit_map *map) {
    unsigned level = 1 + mb_map_top_level(map);
    atomic_store_explicit(&map->top->raised, level - 1, memory_order_seq_cst);
    unsigned kept = kept_planes(map);
    for (unsigned plane = 0; plane < kept; plane++) refresh_part(map, (enum mb_map_plane)plane, level, 0);
}

bool mb_map_extend(const struct mb_unit_map *map, size_t units, struct mb_map_chunk_shared *(*make)(void *), void *context) {
    size_t needed = (units + MB_MAP_CHUNK_UNITS - 1) / MB_MAP_CHUNK_UNITS, made = needed;
    if (needed > map->limit) return false;
    while (made > 0 && atomic_load_explicit(&map->chunks[made - 1], memory_order_relaxed) == NULL) made--;
    for (; made < needed; made++) {
        struct mb_map_chunk_shared *chunk = make(context);
        if (chunk == NULL) return false;
        atomic_store_explicit(&map->chunks[made], chunk, memory_order_release);
    }
    while (units > MB_RUN_PARTS * mb_map_part_units(mb_map_top_level(map))) raise_top(map);
    return true;
}

// Everybody keeps the plane before it is made, so that nothing that changes meanwhile is missed.
void mb_map_begin_bare(const struct mb_unit_map *map, size_t units) {
    if (atomic_load_explicit(&map->top->has_committed, memory_order_acquire)) return;
    atomic_store_explicit(&map->top->keeps_committed, true, memory_order_seq_cst);
    refresh_all(map, MB_MAP_COMMITTED, units);
    atomic_store_explicit(&map->top->has_committed, true, memory_order_release);
}

void mb_map_recover(const struct mb_unit_map *map, size_t units) {
    unsigned kept = kept_planes(map);
    for (unsigned plane = 0; plane < kept; plane++) refresh_all(map, (enum mb_map_plane)plane, units);
    atomic_store_explicit(&map->top->has_committed, kept == MB_MAP_PLANES, memory_order_relaxed);
}
