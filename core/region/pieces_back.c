// Pieces that go back: whole units to the arena, pages to the system.
#include "core/region/arena.h"
#include "core/region/huge.h"
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
    STEP_WORDS = 512, // 128 MiB of the window, looked at in one step
};

// --- whole units go back ----------------------------------------------------------------------------------------------

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

static uint64_t whole_units_of(uint64_t bits) {
    uint64_t whole = 0;
    for (unsigned i = 0; i < 64; i += MB_UNIT_PIECES) {
        if ((bits >> i & WHOLE) == WHOLE) whole |= (uint64_t)WHOLE << i;
    }
    return whole;
}

typedef uint64_t word_reader(size_t word);

static void settle_word(struct row *row, word_reader *read, size_t word) {
    uint64_t mask = whole_units_of(read(word));
    if (mask == 0) return;
    uint64_t mine = mb_piece_map_claim_mask(word, mask), whole = whole_units_of(mine);
    for (unsigned i = 0; i < 64; i += MB_UNIT_PIECES) {
        uint64_t unit = (uint64_t)WHOLE << i;
        if ((whole & unit) != 0) add_unit(row, (word * 64 + i) / MB_UNIT_PIECES);
    }
    // Of a unit that was not whole any more.
    for (uint64_t rest = mine & ~whole; rest != 0; rest &= rest - 1) mb_piece_map_release(word * 64 + mb_ctz64(rest), 1);
}

static void note_settled(void) {
    atomic_store_explicit(&mb_pieces_shared.settled, mb_count_look(&mb_pieces_shared.free), memory_order_relaxed);
    atomic_store_explicit(&mb_pieces_shared.taken, 0, memory_order_relaxed);
}

void mb_pieces_settle(void) {
    struct row row = {0};
    if (mb_count_look(&mb_pieces_shared.free) < MB_UNIT_PIECES) return;
    for (size_t word = mb_piece_map_next_word(0); word != MB_NO_PIECE; word = mb_piece_map_next_word(word + 1)) {
        settle_word(&row, mb_piece_map_free, word);
    }
    end_row(&row);
    note_settled();
}

// While pieces are taken as well, what is free may serve the next block: of that there is more.
bool mb_pieces_are_many_free(void) {
    bool only_freed = mb_count_look(&mb_pieces_shared.taken) < EXCESS_MIN / 2;
    size_t share = only_freed ? 0 : mb_pieces_in(mb_arena_units()) / EXCESS_SHARE;
    return mb_count_look(&mb_pieces_shared.free) > mb_count_look(&mb_pieces_shared.settled) + mb_min(mb_max(share, EXCESS_MIN), EXCESS_MAX);
}

// --- pages go back ----------------------------------------------------------------------------------------------------

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

size_t mb_pieces_purge(void) {
    size_t purged = 0;
    if (mb_count_look(&mb_pieces_shared.warm) == 0) return 0;
    for (size_t word = mb_piece_map_next_word(0); word != MB_NO_PIECE; word = mb_piece_map_next_word(word + 1))
        purged += purge_word(word, mb_piece_map_warm(word));
    return mb_units_for(purged);
}

// Goes on where the last call stopped.
static void age(size_t words) {
    struct row row = {0};
    size_t word = mb_count_look(&mb_pieces_shared.cursor);
    for (; words > 0 && (word = mb_piece_map_next_word(word)) != MB_NO_PIECE; words--, word++) {
        settle_word(&row, mb_piece_map_old, word);
        purge_word(word, mb_piece_map_old(word));
        mb_piece_map_age(word);
    }
    end_row(&row);
    atomic_store_explicit(&mb_pieces_shared.cursor, word == MB_NO_PIECE ? 0 : word, memory_order_relaxed);
    note_settled();
}

void mb_pieces_age_some(void) { age(STEP_WORDS); }

void mb_pieces_age(void) {
    if (mb_count_look(&mb_pieces_shared.free) == 0) return;
    atomic_store_explicit(&mb_pieces_shared.cursor, 0, memory_order_relaxed);
    age(SIZE_MAX);
}

size_t mb_pieces_warm_units(void) { return mb_count_look(&mb_pieces_shared.warm) / MB_UNIT_PIECES; }

// --- after fork -------------------------------------------------------------------------------------------------------

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
        mb_piece_map_set_cold(at, run);
        mb_piece_map_release(at, run);
    }
}

void mb_pieces_recover(void) {
    size_t free = 0, warm = 0;
    for (size_t word = mb_piece_map_next_word(0); word != MB_NO_PIECE; word = mb_piece_map_next_word(word + 1)) {
        free += mb_popcount64(mb_piece_map_free(word));
        warm += mb_popcount64(mb_piece_map_warm(word));
    }
    atomic_store_explicit(&mb_pieces_shared.free, free, memory_order_relaxed);
    atomic_store_explicit(&mb_pieces_shared.warm, warm, memory_order_relaxed);
    atomic_store_explicit(&mb_pieces_shared.settled, free, memory_order_relaxed);
}
