#include "core/region/pieces.h"

#include <errno.h>

#include "core/region/arena.h"
#include "core/region/changed.h"
#include "core/region/huge.h"
#include "core/region/margin.h"
#include "core/region/piece_map.h"
#include "core/region/pieces_shared.h"
#include "core/region/purge.h"
#include "platform/bits.h"
#include "platform/os.h"

enum { ARENA_PIECES_MIN = MB_PIECED_MAX >> MB_PIECE_SHIFT }; // runs of so many are not kept here

struct mb_pieces_shared mb_pieces_shared;

// Behind the map's limit blocks get whole units.
static bool is_reached(size_t end) { return end <= mb_piece_map_limit(); }

bool mb_pieces_extend(size_t units) { return mb_piece_map_extend(mb_min(mb_pieces_in(units), mb_piece_map_limit())); }

// --- taking ----------------------------------------------------------------------------------------------------------

static void give(size_t first, size_t pieces, bool warm) {
    if (pieces == 0) return;
    if (warm)
        mb_piece_map_set_warm(first, pieces);
    else
        mb_piece_map_set_cold(first, pieces);
    mb_count_add(&mb_pieces_shared.free, pieces);
    if (warm) mb_count_add(&mb_pieces_shared.warm, pieces);
    mb_piece_map_release(first, pieces);
}

static bool claimed(size_t first, size_t pieces) {
    size_t warm = mb_piece_map_count_warm(first, pieces);
    if (warm < pieces) {
        mb_piece_map_set_warm(first, pieces);
        mb_margin_taken_cold(mb_units_for(pieces - warm));
    }
    mb_count_subtract(&mb_pieces_shared.free, pieces);
    mb_count_subtract(&mb_pieces_shared.warm, warm);
    mb_count_add(&mb_pieces_shared.taken, pieces);
    return warm == 0;
}

bool mb_pieces_take_held(size_t pieces, size_t align, struct mb_run *out) {
    while (mb_count_look(&mb_pieces_shared.free) >= pieces) {
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
    mb_count_add(&mb_pieces_shared.free, pieces);
    if (!zero) mb_count_add(&mb_pieces_shared.warm, pieces);
    mb_piece_map_release(first, pieces);
}

bool mb_pieces_take(size_t pieces, size_t align, struct mb_run *out) {
    struct mb_span span;
    while (!mb_pieces_take_held(pieces, align, out)) {
        if (!mb_arena_take(mb_units_for(pieces), 1, &span)) return false;
        mb_huge_taken(&span, pieces << MB_PIECE_SHIFT, MB_HUGE_FILLED);
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

// --- giving ----------------------------------------------------------------------------------------------------------

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

// Pages that cannot be made usable are lost rather than passed to the next owner.
static int renew(size_t first, size_t pieces) {
    size_t unit = first / MB_UNIT_PIECES;
    int error = mb_os_renew(mb_piece_address(first), pieces << MB_PIECE_SHIFT);
    mb_huge_lost(unit, mb_units_for(first + pieces) - unit);
    if (error == 0 || error == -ENXIO) mb_huge_renewed(mb_piece_address(first), pieces << MB_PIECE_SHIFT);
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
