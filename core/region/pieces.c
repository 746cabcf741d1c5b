#include "core/region/pieces.h"

#include <errno.h>
#include <stdatomic.h>

#include "core/region/arena.h"
#include "core/region/changed.h"
#include "core/region/huge.h"
#include "core/region/piece_map.h"
#include "core/region/purge.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    WHOLE = 0xffff,                                     // a unit's pieces
    ARENA_PIECES_MIN = MB_PIECED_MAX >> MB_PIECE_SHIFT, // runs of so many are not kept here
    EXCESS_MIN = 2 << 20 >> MB_PIECE_SHIFT,
    EXCESS_SHARE = 16,
    EXCESS_MAX = 8 << 20 >> MB_PIECE_SHIFT,
};

static struct {
    _Atomic size_t free;    // pieces; any thread, relaxed, as the next two
    _Atomic size_t warm;    //   those that hold pages
    _Atomic size_t settled; // free when whole units went back last
} pieces_shared;

static void add(_Atomic size_t *counter, size_t n) { atomic_fetch_add_explicit(counter, n, memory_order_relaxed); }
static void subtract(_Atomic size_t *counter, size_t n) { atomic_fetch_sub_explicit(counter, n, memory_order_relaxed); }
static size_t look(const _Atomic size_t *counter) { return atomic_load_explicit(counter, memory_order_relaxed); }

// Behind the map's limit blocks get whole units.
static bool is_reached(size_t end) { return end <= mb_piece_map_limit(); }

bool mb_pieces_extend(size_t units) { return mb_piece_map_extend(mb_min(mb_pieces_in(units), mb_piece_map_limit())); }

// --- taking -----------------------------------------------------------------------------------------------------------

static void give(size_t first, size_t pieces, bool warm) {
    if (pieces == 0) return;
    if (warm)
        mb_piece_map_set_warm(first, pieces);
    else
        mb_piece_map_set_cold(first, pieces);
    add(&pieces_shared.free, pieces);
    if (warm) add(&pieces_shared.warm, pieces);
    mb_piece_map_release(first, pieces);
}

static bool claimed(size_t first, size_t pieces) {
    size_t warm = mb_piece_map_count_warm(first, pieces);
    if (warm < pieces) mb_piece_map_set_warm(first, pieces);
    subtract(&pieces_shared.free, pieces);
    subtract(&pieces_shared.warm, warm);
    return warm == 0;
}

bool mb_pieces_take_held(size_t pieces, size_t align, struct mb_run *out) {
    while (look(&pieces_shared.free) >= pieces) {
        size_t first = mb_piece_map_find(pieces, align);
        if (first == MB_NO_PIECE) return false;
        if (!mb_piece_map_claim(first, pieces)) continue;
        *out = (struct mb_run){first, pieces, claimed(first, pieces)};
        return true;
    }
    return false;
}

static bool take_held_at(size_t first, size_t pieces, struct mb_run *out) {
    if (!is_reached(first + pieces) || first + pieces > mb_pieces_in(mb_arena_units()) || !mb_piece_map_claim(first, pieces)) return false;
    *out = (struct mb_run){first, pieces, claimed(first, pieces)};
    return true;
}

// Units of the arena's become pieces that are free here.
static void hold(size_t unit, size_t units, bool zero) {
    size_t first = mb_pieces_in(unit), pieces = mb_pieces_in(units);
    if (zero)
        mb_piece_map_set_cold(first, pieces);
    else
        mb_piece_map_set_warm(first, pieces);
    add(&pieces_shared.free, pieces);
    if (!zero) add(&pieces_shared.warm, pieces);
    mb_piece_map_release(first, pieces);
}

bool mb_pieces_take(size_t pieces, size_t align, struct mb_run *out) {
    struct mb_span span;
    while (!mb_pieces_take_held(pieces, align, out)) {
        if (!mb_arena_take(mb_units_for(pieces), 1, &span)) return false;
        mb_huge_taken(span.first, span.units, pieces << MB_PIECE_SHIFT, MB_HUGE_FILLED);
        if (!is_reached(mb_pieces_in(span.first + span.units))) {
            *out = (struct mb_run){mb_pieces_in(span.first), mb_pieces_in(span.units), span.zero};
            return true;
        }
        hold(span.first, span.units, span.zero);
        if (align > 1 && take_held_at(mb_pieces_in(span.first), pieces, out)) return true; // a search need not find it
    }
    return true;
}

bool mb_pieces_take_at(size_t first, size_t pieces, bool *zero) {
    size_t end = first + pieces, unit = mb_units_for(first), head = mb_pieces_in(unit) - first;
    struct mb_run run = {.zero = true};
    bool units_zero;
    if (take_held_at(first, pieces, &run)) {
        *zero = run.zero;
        return true;
    }
    if (head >= pieces || (!is_reached(mb_pieces_in(mb_units_for(end))) && end % MB_UNIT_PIECES != 0)) return false;
    if (head > 0 && !take_held_at(first, head, &run)) return false;
    if (!mb_arena_take_at(unit, mb_units_for(end) - unit, &units_zero)) {
        if (head > 0) mb_pieces_give(first, head);
        return false;
    }
    give(end, mb_pieces_in(mb_units_for(end)) - end, !units_zero);
    *zero = run.zero && units_zero;
    return true;
}

// --- giving -----------------------------------------------------------------------------------------------------------

struct mb_run mb_pieces_whole_units(size_t first, size_t pieces) {
    size_t from = mb_pieces_in(mb_units_for(first)), to = mb_align_down(first + pieces, MB_UNIT_PIECES);
    bool all = to > from && (to - from >= ARENA_PIECES_MIN || !is_reached(first + pieces));
    return all ? (struct mb_run){from, to - from, false} : (struct mb_run){first + pieces, 0, false};
}

void mb_pieces_give(size_t first, size_t pieces) {
    struct mb_run whole = mb_pieces_whole_units(first, pieces);
    size_t behind = whole.first + whole.pieces;
    give(first, whole.first - first, true);
    if (whole.pieces != 0) mb_arena_give(whole.first / MB_UNIT_PIECES, whole.pieces / MB_UNIT_PIECES);
    give(behind, first + pieces - behind, true);
}

void mb_pieces_give_cold(size_t first, size_t pieces) {
    struct mb_run whole = mb_pieces_whole_units(first, pieces);
    size_t behind = whole.first + whole.pieces;
    give(first, whole.first - first, false);
    if (whole.pieces != 0) mb_arena_give_cold(whole.first / MB_UNIT_PIECES, whole.pieces / MB_UNIT_PIECES);
    give(behind, first + pieces - behind, false);
}

// Pages that nobody can use are lost rather than given to the next owner.
static int renew(size_t first, size_t pieces) {
    size_t unit = first / MB_UNIT_PIECES;
    int error = mb_os_renew(mb_piece_address(first), pieces << MB_PIECE_SHIFT);
    mb_huge_lost(unit, mb_units_for(first + pieces) - unit);
    bool refused = error != 0 && error != -ENXIO && error != -ESTALE;
    if (!refused || mb_changed(unit, mb_units_for(first + pieces) - unit) != MB_CHANGE_STATE) return error;
    mb_os_purge(mb_piece_address(first), pieces << MB_PIECE_SHIFT);
    return -ESTALE;
}

bool mb_pieces_give_renewed(size_t first, size_t pieces) {
    size_t unit = mb_units_for(first), end = (first + pieces) / MB_UNIT_PIECES; // those that nobody else has a block in
    int error = renew(first, pieces);
    if (error == 0) {
        if (end > unit) mb_changed_forget(unit, end - unit);
        mb_pieces_give_cold(first, pieces);
    } else if (error == -ENXIO && end > unit) {
        mb_arena_give_bare(unit, end - unit);
    } else if (error == -ESTALE && end > unit) {
        mb_arena_abandon(unit, end - unit);
    }
    return error == 0 || error == -ENXIO || error == -ESTALE;
}

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
    subtract(&pieces_shared.free, MB_UNIT_PIECES);
    subtract(&pieces_shared.warm, warm);
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

static void note_settled(void) { atomic_store_explicit(&pieces_shared.settled, look(&pieces_shared.free), memory_order_relaxed); }

void mb_pieces_settle(void) {
    struct row row = {0};
    if (look(&pieces_shared.free) < MB_UNIT_PIECES) return;
    for (size_t word = mb_piece_map_next_word(0); word != MB_NO_PIECE; word = mb_piece_map_next_word(word + 1)) {
        settle_word(&row, mb_piece_map_free, word);
    }
    end_row(&row);
    note_settled();
}

bool mb_pieces_are_many_free(void) {
    size_t most = mb_min(mb_max(mb_pieces_in(mb_arena_units()) / EXCESS_SHARE, EXCESS_MIN), EXCESS_MAX);
    return look(&pieces_shared.free) > look(&pieces_shared.settled) + most;
}

// --- pages go back ----------------------------------------------------------------------------------------------------

static size_t purge_run(size_t first, size_t pieces) {
    bool purged = mb_purge_to_zero(mb_piece_address(first), pieces << MB_PIECE_SHIFT);
    if (purged) {
        mb_piece_map_set_cold(first, pieces);
        subtract(&pieces_shared.warm, pieces);
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
    if (look(&pieces_shared.warm) == 0) return 0;
    for (size_t word = mb_piece_map_next_word(0); word != MB_NO_PIECE; word = mb_piece_map_next_word(word + 1))
        purged += purge_word(word, mb_piece_map_warm(word));
    return mb_units_for(purged);
}

void mb_pieces_age(void) {
    struct row row = {0};
    if (look(&pieces_shared.free) == 0) return;
    for (size_t word = mb_piece_map_next_word(0); word != MB_NO_PIECE; word = mb_piece_map_next_word(word + 1)) {
        settle_word(&row, mb_piece_map_old, word);
        purge_word(word, mb_piece_map_old(word));
        mb_piece_map_age(word);
    }
    end_row(&row);
    note_settled();
}

size_t mb_pieces_warm_units(void) { return look(&pieces_shared.warm) / MB_UNIT_PIECES; }

// --- after fork -------------------------------------------------------------------------------------------------------

uint32_t mb_pieces_free_in(size_t unit) {
    size_t first = mb_pieces_in(unit);
    return is_reached(first + MB_UNIT_PIECES) ? (uint32_t)(mb_piece_map_free(first / 64) >> first % 64 & WHOLE) : 0;
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
    atomic_store_explicit(&pieces_shared.free, free, memory_order_relaxed);
    atomic_store_explicit(&pieces_shared.warm, warm, memory_order_relaxed);
    atomic_store_explicit(&pieces_shared.settled, free, memory_order_relaxed);
}
