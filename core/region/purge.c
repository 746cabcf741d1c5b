#include "core/region/purge.h"

#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/huge.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"
#include "platform/probe.h"

enum {
    DECOMMIT_UNITS_MIN = 32, // 2 MiB: what is taken away costs up to two mappings
    APART_SHARE = 64,
    WHOLE_LOOKS = 64, // words
};

struct mb_purge_shared mb_purge_shared;

enum { PURGE_MARK = 0x5a };

bool mb_purge_to_zero(void *p, size_t bytes) {
    volatile unsigned char *first = p;
    *first = PURGE_MARK;
    if (mb_os_purge(p, bytes) == 0 && *first == 0) return true;
    *first = 0; // what was zero is it again
    return false;
}

static void note_cold(size_t first, size_t units) {
    size_t warm = mb_map_count_warm(&mb_arena_map, first, units);
    mb_map_set_cold(&mb_arena_map, first, units);
    atomic_fetch_sub_explicit(&mb_purge_shared.warm_free_units, warm, memory_order_relaxed);
    mb_limit_give(warm);
    MB_PROBE2(purge, mb_unit_address(first), warm << MB_UNIT_SHIFT);
    mb_purge_note(warm << MB_UNIT_SHIFT);
}

// Purges units that the caller has claimed. Memory that the system refuses to take back stays warm.
static size_t purge_run(size_t first, size_t units) {
    bool purged = mb_purge_to_zero((void *)mb_unit_address(first), units << MB_UNIT_SHIFT);
    if (purged) {
        note_cold(first, units);
        mb_huge_purged(first, units);
    }
    mb_map_release(&mb_arena_map, first, units);
    return purged ? units : 0;
}

// Takes contents and commit charge away. What the system refuses stays as it was.
static size_t decommit_run(size_t first, size_t units) {
    if (mb_os_decommit((void *)mb_unit_address(first), units << MB_UNIT_SHIFT) != 0) return purge_run(first, units);
    note_cold(first, units);
    mb_map_set_bare(&mb_arena_map, first, units);
    mb_huge_lost(first, units);
    mb_huge_renewed((void *)mb_unit_address(first), units << MB_UNIT_SHIFT);
    mb_map_release(&mb_arena_map, first, units);
    return units;
}

static size_t decommit_long_run(size_t first, size_t units) {
    return units < DECOMMIT_UNITS_MIN ? purge_run(first, units) : decommit_run(first, units);
}

typedef size_t run_function(size_t first, size_t units);
typedef uint64_t mask_function(const struct mb_unit_map *map, size_t word);

static uint64_t purgeable_whole(const struct mb_unit_map *map, size_t word) { return mb_huge_whole(mb_map_purgeable(map, word)); }

static uint64_t at_most(uint64_t mask, size_t max_units) {
    while (mb_popcount64(mask) > max_units) mask &= mask - 1;
    return mask;
}

static size_t treat_word(size_t word, mask_function *mask_of, run_function *treat, size_t max_units) {
    uint64_t mask = at_most(mask_of(&mb_arena_map, word), max_units);
    if (mask_of == purgeable_whole) mask = mb_huge_whole(mask);
    uint64_t mine = mask == 0 ? 0 : mb_map_claim_mask(&mb_arena_map, word, mask);
    size_t treated = 0;
    while (mine != 0) {
        unsigned first = mb_ctz64(mine);
        uint64_t from_first = mine >> first;
        unsigned run = ~from_first == 0 ? 64 : mb_ctz64(~from_first);
        treated += treat(word * 64 + first, run);
        mine &= ~mb_bit_range(first, run);
    }
    return treated;
}

// Claims one word's units at a time, so that a thread that is short of memory waits for no more than that.
static size_t treat_word_alone(size_t word, mask_function *mask_of, run_function *treat, size_t max_units) {
    if (mask_of(&mb_arena_map, word) == 0) return 0;
    mb_arena_shortage_enter();
    size_t treated = treat_word(word, mask_of, treat, max_units);
    mb_arena_shortage_leave();
    return treated;
}

typedef size_t word_function(size_t word, mask_function *mask_of, run_function *treat, size_t max_units);

static size_t words(void) { return (mb_arena_units() + 63) / 64; }

// The highest word below `word` that has units of a plane, or MB_NO_UNIT.
static size_t word_below(enum mb_map_plane plane, size_t word) { return mb_map_word_below(&mb_arena_map, plane, word); }

// What has units of the plane, from the highest word on, so many words at most.
static size_t treat_words(enum mb_map_plane plane, word_function *treat_one, mask_function *mask_of, run_function *treat, size_t max_units,
                          size_t looks) {
    size_t treated = 0;
    for (size_t word = word_below(plane, words()); word != MB_NO_UNIT && treated < max_units && looks > 0; word = word_below(plane, word)) {
        treated += treat_one(word, mask_of, treat, max_units - treated);
        looks--;
    }
    return treated;
}

static size_t treat_plane(enum mb_map_plane plane, word_function *treat_one, mask_function *mask_of, run_function *treat,
                          size_t max_units) {
    return treat_words(plane, treat_one, mask_of, treat, max_units, SIZE_MAX);
}

// While there are whole huge pages none is taken apart for less than 1/64 of the heap: then a whole one goes. They are
// not looked for far away: words without one are passed by each time.
size_t mb_arena_purge_any(size_t max_units) {
    size_t least = mb_huge_least_purge(), most = mb_max(max_units, least);
    size_t purged = treat_words(MB_MAP_WARM, treat_word_alone, purgeable_whole, purge_run, most, least > 1 ? WHOLE_LOOKS : SIZE_MAX);
    size_t rest = max_units - mb_min(purged, max_units);
    if (purged != 0 && rest <= mb_arena_units() / APART_SHARE) return purged;
    return purged + treat_plane(MB_MAP_WARM, treat_word_alone, mb_map_purgeable, purge_run, rest);
}

size_t mb_arena_decommit_long(void) {
    mb_map_begin_bare(&mb_arena_map, mb_arena_units());
    return treat_plane(MB_MAP_COMMITTED, treat_word_alone, mb_map_decommittable, decommit_long_run, SIZE_MAX);
}

size_t mb_arena_decommit_all(void) {
    mb_map_begin_bare(&mb_arena_map, mb_arena_units());
    return treat_plane(MB_MAP_COMMITTED, treat_word, mb_map_decommittable, decommit_run, SIZE_MAX);
}

// --- the purge clock -------------------------------------------------------------------------------------------------

enum { STEP_WORDS = 4096 }; // looked at in one step, at most

static struct {
    _Atomic size_t below; // the pass under way goes on with the words below it, 0: the next one begins; who ticks, relaxed
} pass_shared;

static struct mb_purge_step end_step(size_t units, size_t below) {
    atomic_store_explicit(&pass_shared.below, below, memory_order_relaxed);
    return (struct mb_purge_step){.units = units, .ends_pass = below == 0};
}

struct mb_purge_step mb_arena_purge_step(size_t max_units) {
    size_t below = atomic_load_explicit(&pass_shared.below, memory_order_relaxed), purged = 0;
    if (below == 0) below = words();
    for (unsigned i = 0; i < STEP_WORDS; i++) {
        size_t word = word_below(MB_MAP_WARM, below);
        if (word == MB_NO_UNIT) return end_step(purged, 0);
        purged += treat_word_alone(word, mb_map_purgeable_old, purge_run, max_units - purged);
        if (purged == max_units) return end_step(purged, word + 1);
        mb_map_age(&mb_arena_map, word);
        below = word;
    }
    return end_step(purged, below);
}

size_t mb_arena_warm_free_units(void) { return atomic_load_explicit(&mb_purge_shared.warm_free_units, memory_order_relaxed); }

uint64_t mb_arena_purged_bytes(void) { return atomic_load_explicit(&mb_purge_shared.purged_bytes, memory_order_relaxed); }
