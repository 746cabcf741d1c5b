// What: the map of units under the explorer. Fibers search, claim and release runs of a few units that cross the
// boundary of two words, and of two parts of the level above.
//
// Checks at each step: no unit has two owners, each use of a unit is ordered after the previous one, no search returns
// the same run again and again although it cannot be claimed. At the end of each run: each part of the tree describes
// the parts below it correctly, and a search finds every free run.
#include "tests/race/explore.h"

#include <string.h>

#include "core/region/map_runs.h"
#include "core/region/unit_map.h"

// Scripts, a character an operation:
//   1 2 3 4  take so many free units      w  take a warm one       c  take a committed one
//   g k b    give the newest run back warm, cold, bare            A-D  claim that one of the units if it is free
//   n        units are about to be made bare                       u    add the last units, and a level, to the map
const struct scenario scenarios[] = {
    {"two take one", "", {"1", "1"}, 64, ""},
    {"three take one", "", {"1", "1", "1"}, 64, ""},
    {"two take two", "", {"2", "2"}, 64, ""},
    {"take two, take at", "", {"2", "B"}, 64, ""},
    {"take three, take two at", "", {"3", "BC"}, 64, ""},
    {"take all, take one", "", {"4", "1"}, 64, ""},
    {"take and give, cold", "", {"2k", "2k"}, 64, ""},
    {"take and give, warm", "", {"1g", "w"}, 64, ""},
    {"take and give one, take two", "", {"1k1k", "2"}, 64, ""},
    {"give, give", "12", {"k", "k"}, 64, ""},
    {"give, give, take", "22", {"k", "k", "3"}, 64, ""},
    {"give warm, take warm", "12", {"g", "g", "w"}, 64, ""},
    {"give, take at, take", "2", {"k", "C", "1"}, 64, ""},
    {"give while bare begins", "2", {"k", "n"}, 64, ""},
    {"take while bare begins", "", {"2", "n", "C"}, 64, ""},
    {"bare begins twice", "1", {"nb", "nk"}, 64, ""},
    {"give bare, take committed", "n2", {"b", "c"}, 64, ""},
    {"give while a level is added", "2", {"k", "u"}, 64, ""},
    {"take while a level is added", "", {"2", "u"}, 64, ""},
    {"take and give while a level is added", "1", {"1k", "u", "k"}, 64, ""},
    {"level added while bare begins", "1", {"k", "u", "n"}, 64, ""},
    {NULL, NULL, {NULL}, 0, NULL},
};

enum { FIRST = 510, COUNT = 4, ALL_UNITS = 576, MORE_UNITS = 4097, TRIES_MAX = 16 };

static struct {
    _Atomic(struct mb_map_chunk_shared *) chunks[2];
    struct mb_map_top_shared top;
    struct mb_map_chunk_shared chunk[2];
    struct mb_map_runs_shared upper[4];
} ground_shared;
static const struct mb_unit_map map = {ground_shared.chunks, 2, &ground_shared.top, ground_shared.upper};

static struct mb_map_chunk_shared *make_chunk(void *context) {
    (void)context;
    return &ground_shared.chunk[ground_shared.chunks[0] != NULL];
}

// --- who has what: world.live, whether a unit is in somebody's hands; world.own, the newest runs ---------------------

static void enter(unsigned index, size_t first, size_t units) {
    for (size_t unit = first - FIRST; unit < first - FIRST + units; unit++) {
        if (unit >= COUNT) fail("unit %zu handed out", unit + FIRST);
        if (world.live[unit] != 0) fail("unit %zu in two hands", unit + FIRST);
        world.live[unit] = 1;
        if (!memory_use(1u << unit)) fail("unit %zu: not ordered after its last use", unit + FIRST);
    }
    if (world.owned[index] == PRESETS) fail("script too long");
    world.own[index][world.owned[index]++] = (unsigned char *)(first << 8 | units);
}

static void take(unsigned index, size_t units, enum mb_map_plane plane) {
    struct mb_map_query query = {units, 1, 0};
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        size_t first = mb_map_find(&map, plane, &query);
        if (first == MB_NO_UNIT) return;
        if (!mb_map_claim(&map, first, units)) continue;
        enter(index, first, units);
        return;
    }
    fail("%zu units found and not there, %d times", units, TRIES_MAX);
}

static void take_at(unsigned index, size_t first) {
    if (mb_map_claim(&map, first, 1)) enter(index, first, 1);
}

static void give(unsigned index, char how) {
    if (world.owned[index] == 0) return; // a take that found nothing
    uintptr_t run = (uintptr_t)world.own[index][--world.owned[index]];
    size_t first = run >> 8, units = run & 0xff;
    for (size_t unit = first - FIRST; unit < first - FIRST + units; unit++) world.live[unit] = 0;
    if (how == 'g')
        mb_map_set_warm(&map, first, units);
    else
        mb_map_set_cold(&map, first, units);
    if (how == 'b') mb_map_set_bare(&map, first, units);
    mb_map_release(&map, first, units);
}

void script_operation(unsigned index, char operation) {
    switch (operation) {
    case '1':
    case '2':
    case '3':
    case '4': take(index, (size_t)(operation - '0'), MB_MAP_FREE); break;
    case 'w': take(index, 1, MB_MAP_WARM); break;
    case 'c': take(index, 1, MB_MAP_COMMITTED); break;
    case 'A':
    case 'B':
    case 'C':
    case 'D': take_at(index, FIRST + (size_t)(operation - 'A')); break;
    case 'g':
    case 'k':
    case 'b': give(index, operation); break;
    case 'n': mb_map_begin_bare(&map, FIRST + COUNT); break;
    case 'u':
        if (!mb_map_extend(&map, MORE_UNITS, make_chunk, NULL)) fail("the map does not reach so far");
        break;
    default: fail("no operation %c", operation);
    }
}

// What is taken in the setup belongs to one fiber after the other.
void script_set_up(void) {
    world_begin();
    memset(&ground_shared, 0, sizeof ground_shared);
    if (!mb_map_extend(&map, ALL_UNITS, make_chunk, NULL)) fail("no map");
    mb_map_release(&map, FIRST, COUNT);
    unsigned fiber = 0;
    for (const char *at = scenario->setup; *at != '\0'; at++) script_operation(*at == 'n' ? 0 : fiber++, *at);
}

bool script_is_constant(const volatile void *p) { return within(p, &ground_shared.chunks[0], sizeof ground_shared.chunks[0]); }

const char *place_name(const volatile void *p) {
    if (within(p, &ground_shared.top, sizeof ground_shared.top)) return "top";
    if (within(p, ground_shared.chunks, sizeof ground_shared.chunks)) return "chunks";
    if (within(p, ground_shared.upper, sizeof ground_shared.upper)) return "sum";
    for (unsigned i = 0; i < 2; i++) {
        const struct mb_map_chunk_shared *chunk = &ground_shared.chunk[i];
        size_t offset = (size_t)((uintptr_t)p - (uintptr_t)chunk->word) % sizeof chunk->word[0];
        if (within(p, chunk->word, sizeof chunk->word)) return offset == offsetof(struct mb_map_word_shared, free) ? "free" : "other bits";
        if (within(p, chunk, sizeof *chunk)) return "sum";
    }
    return "elsewhere";
}

const struct weakened weakenings[] = {
    {"free", EXPLORE_EXCHANGE, memory_order_acq_rel, "give while bare begins"},
    {"free", EXPLORE_EXCHANGE, memory_order_acquire, "give while bare begins"},
    {"free", EXPLORE_EXCHANGE, memory_order_release, "give while bare begins"},
    {"free", EXPLORE_LOAD, memory_order_acquire, "give while bare begins"},
    {"sum", EXPLORE_LOAD, memory_order_acquire, "take and give, cold"},
    {"sum", EXPLORE_EXCHANGE, memory_order_acq_rel, "take and give, cold"},
    {"top", EXPLORE_LOAD, memory_order_relaxed, "give while bare begins"},
    {"top", EXPLORE_STORE, memory_order_relaxed, "give while bare begins"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};

// --- the end of a run ------------------------------------------------------------------------------------------------

static void check_level(enum mb_map_plane plane, unsigned level, size_t parts) {
    for (size_t index = 0; index < parts; index++) {
        uint64_t below[MB_RUN_PARTS], sum;
        for (unsigned i = 0; level > 1 && i < MB_RUN_PARTS; i++) below[i] = mb_map_part(&map, plane, level - 1, index * MB_RUN_PARTS + i);
        sum = level == 1 ? mb_run_of_bits(mb_map_bits(&map, plane, index)) : mb_run_join(below, mb_map_part_units(level - 1));
        if (mb_map_part(&map, plane, level, index) != sum)
            fail("part %zu of level %u, plane %d, is not what is below it", index, level, (int)plane);
    }
}

static void check_free(void) {
    for (size_t unit = 0; unit < COUNT; unit++)
        if (mb_map_is_free(&map, FIRST + unit) == (world.live[unit] != 0)) fail("unit %zu lost", FIRST + unit);
}

void script_check_end(void) {
    unsigned planes = mb_map_has_bare(&map) ? MB_MAP_PLANES : MB_MAP_COMMITTED;
    check_free();
    for (unsigned plane = 0; plane < planes; plane++) {
        check_level((enum mb_map_plane)plane, 1, 16);
        check_level((enum mb_map_plane)plane, 2, 8);
        if (mb_map_top_level(&map) > 2) check_level((enum mb_map_plane)plane, 3, 1);
    }
}
