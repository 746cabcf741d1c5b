// Finding runs of free units. Every walk goes along the parts of one level, up where eight of them begin, and down
// where something is found: some dozen parts for each level, six at 1 TiB.
#include "core/region/map_runs.h"

// --- where a walk stands ---------------------------------------------------------------------------------------------

struct place {
    unsigned level;
    size_t index;
};

// Up to the highest level at which a part begins here.
static struct place up(struct place at, unsigned top) {
    while (at.level < top && at.index % MB_RUN_PARTS == 0) {
        at.index /= MB_RUN_PARTS;
        at.level++;
    }
    return at;
}

static bool is_beyond(struct place at, unsigned top) { return at.level == top && at.index >= MB_RUN_PARTS; }

static struct place next(struct place at, unsigned top) {
    at.index++;
    return up(at, top);
}

static struct place down(struct place at) { return (struct place){at.level - 1, at.index * MB_RUN_PARTS}; }

// --- the lowest run --------------------------------------------------------------------------------------------------

// The lowest run from the beginning of a word on, where `run` free units end. Where a part says more than there is the
// walk goes on behind it.
static size_t find_from_word(const struct mb_unit_map *map, enum mb_map_plane plane, size_t units, size_t word, size_t run) {
    unsigned top = mb_map_top_level(map);
    struct place at = up((struct place){1, word}, top);
    while (!is_beyond(at, top)) {
        const struct mb_map_runs_shared *eight = mb_map_runs_of(map, at.level, at.index);
        size_t size = mb_map_part_units(at.level);
        bool inside;
        if (eight == NULL) return MB_NO_UNIT;
        do {
            uint64_t part = atomic_load_explicit(&eight->part[plane][at.index % MB_RUN_PARTS], memory_order_seq_cst);
            size_t first = at.index * size;
            if (run + mb_run_start(part, size) >= units) return first - run;
            inside = mb_run_longest(part, size) >= units;
            if (inside && at.level > 1) break;
            uint64_t starts = inside ? mb_run_starts(mb_map_bits(map, plane, at.index), units) : 0;
            if (starts != 0) return first + mb_ctz64(starts);
            run = mb_run_is_full(part) ? run + size : mb_run_end(part, size);
            inside = false;
        } while (++at.index % MB_RUN_PARTS != 0);
        at = inside ? down(at) : up(at, top);
    }
    return MB_NO_UNIT;
}

static size_t find_from(const struct mb_unit_map *map, enum mb_map_plane plane, size_t units, size_t from) {
    unsigned offset = (unsigned)(from % MB_RUN_WORD_UNITS);
    if (offset == 0) return find_from_word(map, plane, units, from / MB_RUN_WORD_UNITS, 0);
    if (from / MB_MAP_CHUNK_UNITS >= map->limit || mb_map_chunk_of(map, from / MB_RUN_WORD_UNITS) == NULL) return MB_NO_UNIT;
    uint64_t bits = mb_map_bits(map, plane, from / MB_RUN_WORD_UNITS) >> offset << offset;
    uint64_t starts = units < MB_RUN_WORD_UNITS ? mb_run_starts(bits, units) : 0;
    if (starts != 0) return mb_align_down(from, MB_RUN_WORD_UNITS) + mb_ctz64(starts);
    return find_from_word(map, plane, units, from / MB_RUN_WORD_UNITS + 1, mb_run_end(mb_run_of_bits(bits), MB_RUN_WORD_UNITS));
}

// --- aligned runs ----------------------------------------------------------------------------------------------------

// The first unit from `from` on, which is free, that is not.
static size_t run_stop(const struct mb_unit_map *map, enum mb_map_plane plane, size_t from) {
    unsigned top = mb_map_top_level(map), offset = (unsigned)(from % MB_RUN_WORD_UNITS);
    uint64_t taken = ~mb_map_bits(map, plane, from / MB_RUN_WORD_UNITS) >> offset;
    if (taken != 0) return from + mb_ctz64(taken);
    struct place at = next((struct place){1, from / MB_RUN_WORD_UNITS}, top);
    for (; !is_beyond(at, top); at = next(at, top)) {
        uint64_t part = mb_map_part(map, plane, at.level, at.index);
        if (!mb_run_is_full(part)) return at.index * mb_map_part_units(at.level) + mb_run_start(part, 0);
    }
    return MB_RUN_PARTS * mb_map_part_units(top);
}

static size_t align_in(const struct mb_map_query *query, size_t unit) {
    return mb_align_up(unit + query->phase, query->align) - query->phase;
}

// So many runs that are long enough are looked at, which may begin in the wrong place. The first unit of one that fits;
// else where the next look may go on, which is not a unit of any run looked at.
enum { CANDIDATES = 4 };
struct look {
    size_t first, from;
};

static struct look look_from(const struct mb_unit_map *map, enum mb_map_plane plane, const struct mb_map_query *query, size_t from) {
    for (unsigned i = 0; i < CANDIDATES; i++) {
        size_t first = find_from(map, plane, query->units, from);
        if (first == MB_NO_UNIT) return (struct look){MB_NO_UNIT, 0};
        size_t stop = run_stop(map, plane, first), aligned = align_in(query, first);
        if (aligned < stop && stop - aligned >= query->units) return (struct look){aligned, 0};
        from = stop;
    }
    return (struct look){MB_NO_UNIT, from};
}

// Tries the lowest runs; then those after the point where the last unsuccessful search stopped, so that each is tried
// at some time; then a run that is longer by the alignment, which fits wherever it begins.
static size_t find_aligned(const struct mb_unit_map *map, enum mb_map_plane plane, const struct mb_map_query *query) {
    struct look look = look_from(map, plane, query, 0);
    if (look.first != MB_NO_UNIT) return look.first;
    if (look.from != 0) {
        size_t seen = atomic_load_explicit(&map->top->looked, memory_order_relaxed);
        look = look_from(map, plane, query, mb_max(look.from, seen));
        if (look.first != MB_NO_UNIT) return look.first;
        atomic_store_explicit(&map->top->looked, look.from, memory_order_relaxed);
    }
    size_t first = find_from(map, plane, query->units + query->align - 1, 0);
    return first == MB_NO_UNIT ? MB_NO_UNIT : align_in(query, first);
}

size_t mb_map_find(const struct mb_unit_map *map, enum mb_map_plane plane, const struct mb_map_query *query) {
    if (plane == MB_MAP_COMMITTED && !atomic_load_explicit(&map->top->has_committed, memory_order_acquire)) plane = MB_MAP_FREE;
    return query->align == 1 ? find_from(map, plane, query->units, 0) : find_aligned(map, plane, query);
}

// --- other walks -----------------------------------------------------------------------------------------------------

size_t mb_map_free_before(const struct mb_unit_map *map, size_t end) {
    unsigned top = mb_map_top_level(map), offset = (unsigned)(end % MB_RUN_WORD_UNITS);
    if (offset != 0) {
        uint64_t taken = ~(mb_map_bits(map, MB_MAP_FREE, end / MB_RUN_WORD_UNITS) << (MB_RUN_WORD_UNITS - offset));
        unsigned run = MB_RUN_WORD_UNITS - 1 - mb_log2(taken);
        if (run < offset) return end - run;
    }
    struct place at = up((struct place){1, end / MB_RUN_WORD_UNITS}, top);
    for (; at.index > 0; at = up((struct place){at.level, at.index - 1}, top)) {
        uint64_t part = mb_map_part(map, MB_MAP_FREE, at.level, at.index - 1);
        size_t size = mb_map_part_units(at.level);
        if (!mb_run_is_full(part)) return at.index * size - mb_run_end(part, size);
    }
    return 0;
}

size_t mb_map_word_below(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word) {
    unsigned top = mb_map_top_level(map);
    struct place at = up((struct place){1, word}, top); // everything below its beginning is to be looked at
    while (at.index > 0) {
        if (mb_map_part(map, plane, at.level, at.index - 1) == 0) {
            at = up((struct place){at.level, at.index - 1}, top);
        } else if (at.level == 1) {
            return at.index - 1;
        } else {
            at = down(at);
        }
    }
    return MB_NO_UNIT;
}

size_t mb_map_word_from(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word) {
    unsigned top = mb_map_top_level(map);
    struct place at = up((struct place){1, word}, top);
    while (!is_beyond(at, top)) {
        if (mb_map_part(map, plane, at.level, at.index) == 0)
            at = next(at, top);
        else if (at.level == 1)
            return at.index;
        else
            at = down(at);
    }
    return MB_NO_UNIT;
}
