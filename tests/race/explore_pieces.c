// What: the map of pieces under the explorer. Fibers search, claim and release runs of pieces that cross the boundary
// of two words, and look for chunks that contain a completely free unit.
//
// Checks at each step: no piece has two owners, each use of a piece is ordered after the previous one, no search
// returns the same run again and again although it cannot be claimed. At the end of each run: a search finds every free
// run, so no hint is too low; and every completely free unit is flagged.
#include "tests/race/explore.h"

#include <string.h>

#include "core/region/piece_map.h"
#include "core/region/piece_map_shared.h"

// Scripts, a character an operation, in halves of units (of 8 pieces each):
//   1 2 3 4  take so many        A-D  claim that one if it is free        g  give the newest run back       v  take whole units where a flag is
const struct scenario scenarios[] = {
    {"two take one", "", {"1", "1"}, 64, ""},
    {"take two, take one", "", {"2", "1"}, 64, ""},
    {"take all, take at", "", {"4", "C"}, 64, ""},
    {"give, take", "4", {"g", "1"}, 64, ""},
    {"give, give", "22", {"g", "g"}, 64, ""},
    {"give, give across the border", "1111", {"", "g", "g"}, 64, ""},
    {"give neighbours, search for less", "AB", {"g", "g", "3"}, 64, ""},
    {"give, search for more", "31", {"g", "2"}, 64, ""},
    {"give, two search", "31", {"g", "2", "3"}, 64, ""},
    {"take and give in turn", "", {"2g", "2g"}, 64, ""},
    {"take and give, search for all", "", {"1g", "4"}, 64, ""},
    {"claim that fails midway", "C", {"", "4", "1"}, 64, ""},
    {"unit given, looked for", "22", {"g", "v"}, 64, ""},
    {"units given, looked for", "22", {"g", "g", "v"}, 64, ""},
    {"halves given, looked for", "11", {"g", "g", "v"}, 64, ""},
    {"given, two look", "2", {"g", "v", "v"}, 64, ""},
    {NULL, NULL, {NULL}, 0, NULL},
};

enum { HALF = 8, FIRST = 48, COUNT = 4, TRIES_MAX = 16, PIECES = 128 };

void *explore_arena_metadata(size_t bytes, size_t align);
void *explore_arena_metadata(size_t bytes, size_t align) {
    fail("%zu bytes of metadata, aligned to %zu: one chunk is enough", bytes, align);
}

// --- who has what: world.live says for each half whether it is in somebody's hands, world.own the newest runs --------

static void enter(unsigned index, size_t first, size_t halves) {
    for (size_t half = first; half < first + halves; half++) {
        if (half >= COUNT) fail("half %zu handed out", half);
        if (world.live[half] != 0) fail("half %zu in two hands", half);
        world.live[half] = 1;
        if (!memory_use(1u << half)) fail("half %zu: not ordered after its last use", half);
    }
    if (world.owned[index] == PRESETS) fail("script too long");
    world.own[index][world.owned[index]++] = (unsigned char *)(first << 8 | halves);
}

static size_t half_at(size_t piece) {
    if (piece < FIRST || (piece - FIRST) % HALF != 0) fail("a run begins at piece %zu", piece);
    return (piece - FIRST) / HALF;
}

static void take(unsigned index, size_t halves) {
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        size_t first = mb_piece_map_find(halves * HALF, 1);
        if (first == MB_NO_PIECE) return;
        if (!mb_piece_map_claim(first, halves * HALF)) continue;
        enter(index, half_at(first), halves);
        return;
    }
    fail("%zu halves found and not there, %d times", halves, TRIES_MAX);
}

static void take_at(unsigned index, size_t half) {
    if (mb_piece_map_claim(FIRST + half * HALF, HALF)) enter(index, half, 1);
}

static void give(unsigned index) {
    if (world.owned[index] == 0) return; // a take that found nothing
    uintptr_t run = (uintptr_t)world.own[index][--world.owned[index]];
    size_t first = run >> 8, halves = run & 0xff;
    for (size_t half = first; half < first + halves; half++) world.live[half] = 0;
    mb_piece_map_release(FIRST + first * HALF, halves * HALF);
}

// As core/region/pieces_back.c, which gives the units to the arena.
static void take_whole(void *context, size_t word) {
    unsigned index = *(unsigned *)context;
    uint64_t mine = mb_piece_map_claim_mask(word, mb_piece_map_whole_units(mb_piece_map_free(word)));
    uint64_t whole = mb_piece_map_whole_units(mine);
    if (mine != whole)
        mb_piece_map_release(word * MB_PIECE_WORD + (size_t)__builtin_ctzll(mine & ~whole), (size_t)__builtin_popcountll(mine & ~whole));
    if (whole != 0)
        enter(index, half_at(word * MB_PIECE_WORD + (size_t)__builtin_ctzll(whole)), (size_t)__builtin_popcountll(whole) / HALF);
}

static void look_at(void *context, size_t word) { (void)context, (void)word; }

void script_operation(unsigned index, char operation) {
    switch (operation) {
    case '1':
    case '2':
    case '3':
    case '4': take(index, (size_t)(operation - '0')); break;
    case 'A':
    case 'B':
    case 'C':
    case 'D': take_at(index, (size_t)(operation - 'A')); break;
    case 'g': give(index); break;
    case 'v': (void)mb_piece_map_visit_whole(take_whole, &index); break;
    default: fail("no operation %c", operation);
    }
}

// What is taken in the setup belongs to one fiber after the other.
void script_set_up(void) {
    world_begin();
    memset(&mb_piece_map_shared, 0, sizeof mb_piece_map_shared);
    if (!mb_piece_map_extend(PIECES)) fail("no map");
    mb_piece_map_release(FIRST, COUNT * HALF);
    unsigned fiber = 0;
    for (const char *at = scenario->setup; *at != '\0'; at++) script_operation(fiber++ % FIBERS, *at);
    for (size_t half = 0; half < COUNT; half++)
        if (world.live[half] == 0) return;
    while (mb_piece_map_visit_whole(look_at, NULL)) {
    }
}

bool script_is_constant(const volatile void *p) {
    return within(p, mb_piece_map_shared.chunks, sizeof mb_piece_map_shared.chunks) || p == &mb_piece_map_shared.end;
}

const char *place_name(const volatile void *p) {
    const struct mb_chunk_shared *chunk = &mb_piece_map_shared.first;
    if (within(p, chunk->free, sizeof chunk->free)) return "free";
    if (within(p, chunk->longest, sizeof chunk->longest)) return "hint of words";
    if (within(p, mb_piece_map_shared.hints, sizeof mb_piece_map_shared.hints)) return "hint of a chunk";
    if (within(p, mb_piece_map_shared.groups, sizeof mb_piece_map_shared.groups)) return "hint of a group";
    if (within(p, mb_piece_map_shared.whole, sizeof mb_piece_map_shared.whole)) return "flag";
    return within(p, mb_piece_map_shared.wholes, sizeof mb_piece_map_shared.wholes) ? "flag of flags" : "elsewhere";
}

const struct weakened weakenings[] = {
    {"free", EXPLORE_LOAD, memory_order_acquire, "give, take"},
    {"free", EXPLORE_EXCHANGE, memory_order_acq_rel, "give, take"},
    {"free", EXPLORE_EXCHANGE, memory_order_relaxed, "take and give in turn"},
    {"hint of words", EXPLORE_LOAD, memory_order_acquire, "give, take"},
    {"hint of words", EXPLORE_EXCHANGE, memory_order_acq_rel, "give, take"},
    {"flag", EXPLORE_LOAD, memory_order_acquire, "halves given, looked for"},
    {"flag", EXPLORE_EXCHANGE, memory_order_acq_rel, "halves given, looked for"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};

// --- the end of a run ------------------------------------------------------------------------------------------------

static size_t longest_free(void) {
    size_t longest = 0, here = 0;
    for (size_t half = 0; half < COUNT; half++) {
        here = world.live[half] == 0 ? here + 1 : 0;
        longest = here > longest ? here : longest;
    }
    return longest;
}

static void check_bits(void) {
    for (size_t half = 0; half < COUNT; half++) {
        size_t piece = FIRST + half * HALF;
        uint64_t bits = mb_piece_map_free(piece / MB_PIECE_WORD) >> piece % MB_PIECE_WORD & 0xff;
        if (bits != (world.live[half] == 0 ? 0xff : 0)) fail("half %zu: bits %lx", half, (unsigned long)bits);
    }
}

void script_check_end(void) {
    unsigned nobody = 0;
    check_bits();
    for (size_t halves = 1; halves <= longest_free(); halves++)
        if (mb_piece_map_find(halves * HALF, 1) == MB_NO_PIECE) fail("%zu free halves are not found", halves);
    while (mb_piece_map_visit_whole(take_whole, &nobody)) {
    }
    for (size_t half = 0; half < COUNT; half += 2)
        if (world.live[half] == 0 && world.live[half + 1] == 0) fail("a whole unit at half %zu has no flag", half);
}
