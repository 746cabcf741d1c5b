// Pieces that go back: whole units to the arena, pages to the system.
#include "core/region/arena.h"
#include "core/region/huge.h"
#include "core/region/margin.h"
#include "core/region/piece_map.h"
#include "core/region/pieces.h"
#include "core/region/pieces_shared.h"
#include "core/region/purge.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    WHOLE = 0xffff, // a unit's pieces
    EXCESS_MIN = 2 << 20 >> MB_PIECE_SHIFT,
    EXCESS_MAX = 8 << 20 >> MB_PIECE_SHIFT,
    EXCESS_SHARE = 16,
    SETTLE_CHUNKS = 64, // that one call looks at, of 16 MiB each
    STEP_CHUNKS = 64,   // likewise, in a free
    STEP_PURGES = 256,
    TICK_CHUNKS = 1024, // and at a tick without a helper
    TICK_PURGES_MIN = 512,
};

// --- whole units go back ---------------------------------------------------------------------------------------------

// Units in a row that come out, to be given together.
struct row {
    size_t first, units;
    bool warm;
};

static void end_row(struct row *row) {
    if (row->units == 0) return;
    if (row->warm)
        mb_arena_give(row->first, row->units);
    else
        mb_arena_give_cold(row->first, row->units);
    row->units = 0;
}

static void add_unit(struct row *row, size_t unit) {
    size_t warm = mb_piece_map_count_warm(mb_pieces_in(unit), MB_UNIT_PIECES);
    mb_count_subtract(&mb_pieces_shared.free, MB_UNIT_PIECES);
    mb_count_subtract(&mb_pieces_shared.warm, warm);
    bool joins = row->units != 0 && row->first + row->units == unit && row->warm == (warm != 0);
    if (!joins) {
        end_row(row);
        *row = (struct row){.first = unit, .warm = warm != 0};
    }
    row->units++;
}

typedef uint64_t word_reader(size_t word);

static void settle_word(struct row *row, word_reader *read, size_t word) {
    uint64_t mask = mb_piece_map_whole_units(read(word));
    if (mask == 0) return;
    uint64_t mine = mb_piece_map_claim_mask(word, mask), whole = mb_piece_map_whole_units(mine);
    for (unsigned i = 0; i < 64; i += MB_UNIT_PIECES) {
        uint64_t unit = (uint64_t)WHOLE << i;
        if ((whole & unit) != 0) add_unit(row, (word * 64 + i) / MB_UNIT_PIECES);
    }
    // Of a unit that was not whole any more.
    for (uint64_t rest = mine & ~whole; rest != 0; rest &= rest - 1) mb_piece_map_release(word * 64 + mb_ctz64(rest), 1);
}

static void settle_free(void *row, size_t word) { settle_word(row, mb_piece_map_free, word); }

static void note_settled(void) {
    atomic_store_explicit(&mb_pieces_shared.settled, mb_count_look(&mb_pieces_shared.free), memory_order_relaxed);
    atomic_store_explicit(&mb_pieces_shared.taken, 0, memory_order_relaxed);
}

void mb_pieces_settle_some(size_t units) {
    struct row row = {0};
    if (mb_count_look(&mb_pieces_shared.free) < MB_UNIT_PIECES) return;
    size_t before = mb_count_look(&mb_pieces_shared.free);
    for (unsigned i = 0; i < SETTLE_CHUNKS && mb_piece_map_visit_whole(settle_free, &row); i++) {
        size_t free = mb_count_look(&mb_pieces_shared.free);
        if (before - mb_min(before, free) >= mb_pieces_in(units)) break;
    }
    end_row(&row);
    note_settled();
}

void mb_pieces_settle(void) {
    struct row row = {0};
    while (mb_piece_map_visit_whole(settle_free, &row)) continue;
    end_row(&row);
    note_settled();
}

// While pieces are taken as well, what is free may serve the next block: of that there is more.
bool mb_pieces_are_many_free(void) {
    bool only_freed = mb_count_look(&mb_pieces_shared.taken) < EXCESS_MIN / 2;
    size_t share = only_freed ? 0 : mb_pieces_in(mb_arena_units()) / EXCESS_SHARE;
    size_t excess = mb_min(mb_max(share, EXCESS_MIN), EXCESS_MAX) + mb_pieces_in(mb_margin_more_units());
    return mb_count_look(&mb_pieces_shared.free) > mb_count_look(&mb_pieces_shared.settled) + excess;
}

// --- pages go back ---------------------------------------------------------------------------------------------------

static size_t purge_run(size_t first, size_t pieces) {
    bool purged = mb_purge_to_zero(mb_piece_address(first), pieces << MB_PIECE_SHIFT);
    if (purged) {
        mb_piece_map_set_cold(first, pieces);
        mb_count_subtract(&mb_pieces_shared.warm, pieces);
        mb_purge_note(pieces << MB_PIECE_SHIFT);
        mb_huge_purged(first / MB_UNIT_PIECES, 1);
    }
    mb_piece_map_release(first, pieces);
    return purged ? pieces : 0;
}

// In whole pages of the system, because all runs are.
static size_t purge_word(size_t word, uint64_t mask) {
    size_t purged = 0;
    for (uint64_t mine = mask == 0 ? 0 : mb_piece_map_claim_mask(word, mask); mine != 0;) {
        unsigned first = mb_ctz64(mine);
        uint64_t from_first = mine >> first;
        unsigned run = ~from_first == 0 ? 64 : mb_ctz64(~from_first);
        purged += purge_run(word * 64 + first, run);
        mine &= ~mb_bit_range(first, run);
    }
    return purged;
}

static void purge_warm(void *purged, size_t word) { *(size_t *)purged += purge_word(word, mb_piece_map_warm(word)); }

size_t mb_pieces_purge(void) {
    size_t purged = 0;
    if (mb_count_look(&mb_pieces_shared.warm) == 0) return 0;
    mb_piece_map_walk(0, SIZE_MAX, purge_warm, &purged);
    return mb_units_for(purged);
}

struct aging {
    struct row row;
    size_t purges; // words that may give pages back yet
    size_t purged; // pieces
};

// A word whose turn to purge has not come stays old.
static void age_word(void *context, size_t word) {
    struct aging *aging = context;
    settle_word(&aging->row, mb_piece_map_old, word);
    uint64_t old = mb_piece_map_old(word);
    if (old != 0 && aging->purges > 0) {
        aging->purged += purge_word(word, old);
        aging->purges--;
    }
    mb_piece_map_age(word);
}

// Goes on where the last call stopped.
static size_t age(size_t chunks, size_t purges) {
    struct aging aging = {.purges = purges};
    size_t next = mb_piece_map_walk(mb_count_look(&mb_pieces_shared.cursor), chunks, age_word, &aging);
    end_row(&aging.row);
    atomic_store_explicit(&mb_pieces_shared.cursor, next == MB_NO_PIECE ? 0 : next, memory_order_relaxed);
    note_settled();
    return aging.purged;
}

// The margin learns of the purged pages: if they are soon needed again, more pages are kept from then on.
void mb_pieces_age_some(void) {
    size_t purged = age(STEP_CHUNKS, STEP_PURGES);
    if (purged != 0) mb_margin_owe(mb_units_for(purged));
}

void mb_pieces_age_at_tick(void) {
    size_t half = mb_pieces_warm_units() / 2;
    if (mb_count_look(&mb_pieces_shared.free) != 0) age(TICK_CHUNKS, mb_max(half, TICK_PURGES_MIN));
}

void mb_pieces_age(void) {
    if (mb_count_look(&mb_pieces_shared.free) == 0) return;
    atomic_store_explicit(&mb_pieces_shared.cursor, 0, memory_order_relaxed);
    age(SIZE_MAX, SIZE_MAX);
}

size_t mb_pieces_warm_units(void) { return mb_count_look(&mb_pieces_shared.warm) / MB_UNIT_PIECES; }

// --- after fork ------------------------------------------------------------------------------------------------------

uint32_t mb_pieces_free_in(size_t unit) {
    size_t first = mb_pieces_in(unit);
    if (first + MB_UNIT_PIECES > mb_piece_map_limit()) return 0;
    return (uint32_t)(mb_piece_map_free(first / 64) >> first % 64 & WHOLE);
}

void mb_pieces_recover_lost(size_t unit, uint32_t pieces) {
    while (pieces != 0) {
        unsigned first = mb_ctz64(pieces);
        unsigned run = mb_ctz64(~((uint64_t)pieces >> first));
        pieces &= ~(uint32_t)mb_bit_range(first, run);
        size_t at = mb_pieces_in(unit) + first;
        if (mb_os_renew(mb_piece_address(at), (size_t)run << MB_PIECE_SHIFT) != 0) continue;
        mb_huge_renewed(mb_piece_address(at), (size_t)run << MB_PIECE_SHIFT);
        mb_piece_map_set_cold(at, run);
        mb_piece_map_release(at, run);
    }
}

static void count_word(void *context, size_t word) {
    size_t *counts = context; // free, warm
    counts[0] += mb_popcount64(mb_piece_map_free(word));
    counts[1] += mb_popcount64(mb_piece_map_warm(word));
}

void mb_pieces_recover(void) {
    size_t counts[2] = {0}, free, warm;
    mb_piece_map_recover(count_word, counts);
    free = counts[0];
    warm = counts[1];
    atomic_store_explicit(&mb_pieces_shared.free, free, memory_order_relaxed);
    atomic_store_explicit(&mb_pieces_shared.warm, warm, memory_order_relaxed);
    atomic_store_explicit(&mb_pieces_shared.settled, free, memory_order_relaxed);
}
