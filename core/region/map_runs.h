// The tree over a map's units: of every 64, 512, 4096 ... units what free runs they have.
//
//   level 0   words of bits                                64 units each     struct mb_map_chunk_shared, word
//   level 1   parts of a word, eight side by side          64 units each                               , words
//   level 2   parts that sum up eight of level 1          512 units each                               , parts
//   level 3, 4 ...                                        4096 each ...      struct mb_unit_map, upper: as many as the map needs
//
// What: who has changed a word's bits refreshes the parts above it as long as they change; who finds that a claim fails does so up to the top.
// Who: any thread, without locks. Between a change and its refresh a part may say more or less than there is; when nobody is in between,
// each says what is below it (explored by tests/race/explore_map.c): whoever writes a part looks at what is below it again afterwards, and
// whoever changes what is below looks at the part afterwards (both sequentially consistent).
// A forked child whose parent had a thread in between makes all parts anew.
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

// The level whose first eight parts are the whole map.
MB_INLINE unsigned mb_map_top_level(const struct mb_unit_map *map) {
    return 1 + atomic_load_explicit(&map->top->raised, memory_order_seq_cst);
}

// Units of a part.
MB_INLINE size_t mb_map_part_units(unsigned level) { return (size_t)MB_RUN_WORD_UNITS << 3 * (level - 1); }

// The eight parts of a level that hold part `index` / what that part says.
struct mb_map_runs_shared *mb_map_runs_of(const struct mb_unit_map *map, unsigned level, size_t index);
MB_INLINE uint64_t mb_map_part(const struct mb_unit_map *map, enum mb_map_plane plane, unsigned level, size_t index) {
    struct mb_map_runs_shared *runs = mb_map_runs_of(map, level, index);
    return runs == NULL ? 0 : atomic_load_explicit(&runs->part[plane][index % MB_RUN_PARTS], memory_order_seq_cst);
}

// A word's free units of that kind.
uint64_t mb_map_bits(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word);

// The bits of these words have changed: refreshes what is above them, as long as that changes.
void mb_map_refresh(const struct mb_unit_map *map, size_t first_word, size_t last_word);
// The same to the top, for who has met a part that was not right: a thread that has come half the way up may have stopped there.
void mb_map_refresh_all_above(const struct mb_unit_map *map, size_t first_word, size_t last_word);

#endif
