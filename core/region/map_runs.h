// Summaries above the bits of a unit map (core/region/unit_map.h), by which a run of free units is found in a number of
// steps that grows with the logarithm of the map's size.
//
//   level 0          the bits themselves, 64 units a word          struct mb_map_chunk_shared, word
//   level 1          a summary ("part") for each word              struct mb_map_chunk_shared, words
//   level 2          a part for eight of level 1: 512 units        struct mb_map_chunk_shared, parts
//   level 3, 4 ...   a part for eight of the level below           struct mb_unit_map, upper; as many levels as needed
//
// What: a part tells the longest run of set bits in its stretch and those at its two ends (core/region/run.h). A thread
// that changes bits recomputes the parts above them, level by level, until one comes out unchanged. A thread whose
// claim fails, so that it was led there by a stale part, recomputes all of them up to the top.
// Who: any thread, without locks. While a thread is between its change and the recomputing a part may be stale, which
// costs a vain search or misses a run for the moment. When no thread is in between, all parts are exact: the writer of
// a part reads what is below it again afterwards, and the writer of what is below reads the part afterwards,
// sequentially consistent both (explored by tests/race/explore_map.c). A forked child whose parent had a thread in
// between computes all parts anew.
#ifndef MB_CORE_REGION_MAP_RUNS_H
#define MB_CORE_REGION_MAP_RUNS_H

#include "core/region/unit_map.h"
#include "platform/compiler.h"

MB_INLINE struct mb_map_chunk_shared *mb_map_chunk_of(const struct mb_unit_map *map, size_t word) {
    return atomic_load_explicit(&map->chunks[word / MB_MAP_CHUNK_WORDS], memory_order_acquire);
}

MB_INLINE struct mb_map_word_shared *mb_map_word_of(const struct mb_unit_map *map, size_t word) {
    return &mb_map_chunk_of(map, word)->word[word % MB_MAP_CHUNK_WORDS];
}

// The highest level in use: its first eight parts cover the whole map.
MB_INLINE unsigned mb_map_top_level(const struct mb_unit_map *map) {
    return 1 + atomic_load_explicit(&map->top->raised, memory_order_seq_cst);
}

// How many units a part of the level covers.
MB_INLINE size_t mb_map_part_units(unsigned level) { return (size_t)MB_RUN_WORD_UNITS << 3 * (level - 1); }

// The group of eight parts of a level that part `index` is in, NULL where the map does not reach; that part's value, 0
// where the map does not reach.
struct mb_map_runs_shared *mb_map_runs_of(const struct mb_unit_map *map, unsigned level, size_t index);
MB_INLINE uint64_t mb_map_part(const struct mb_unit_map *map, enum mb_map_plane plane, unsigned level, size_t index) {
    struct mb_map_runs_shared *runs = mb_map_runs_of(map, level, index);
    return runs == NULL ? 0 : atomic_load_explicit(&runs->part[plane][index % MB_RUN_PARTS], memory_order_seq_cst);
}

// The free units of a word that belong to the plane, as bits.
uint64_t mb_map_bits(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word);

// Call after the bits of these words changed: recomputes the parts above them, up to the first level that stays the
// same.
void mb_map_refresh(const struct mb_unit_map *map, size_t first_word, size_t last_word);
// Recomputes the parts above these words at every level: for a thread that found a stale part, which the thread that
// changed the bits may not have reached yet.
void mb_map_refresh_all_above(const struct mb_unit_map *map, size_t first_word, size_t last_word);

#endif
