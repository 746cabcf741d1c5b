#include "core/region/large_record.h"

#include "core/region/arena.h"

struct mb_long_records_shared mb_long_records_shared;

// --- long blocks ----------------------------------------------------------------------------------------------------

enum { UNITS_IN_PART = MB_LONG_UNITS * MB_LONG_IN_PART };

static _Atomic(struct mb_slab *) *part_of(size_t unit) { return &mb_long_records_shared.parts[unit / UNITS_IN_PART]; }

// The place for whoever begins in the same MiB; NULL: there is none yet.
static struct mb_slab *place_at(size_t unit) {
    struct mb_slab *part = atomic_load_explicit(part_of(unit), memory_order_acquire);
    return part == NULL ? NULL : &part[unit % UNITS_IN_PART / MB_LONG_UNITS];
}

// Where memory for metadata is refused there is none, and the descriptor serves. Of two threads one wastes a part.
static struct mb_slab *make_place(size_t unit) {
    struct mb_slab *place = place_at(unit), *none = NULL;
    if (place != NULL) return place;
    struct mb_slab *part = mb_arena_metadata(MB_LONG_IN_PART * sizeof(struct mb_slab), sizeof(struct mb_slab));
    if (part == NULL) return NULL;
    atomic_compare_exchange_strong_explicit(part_of(unit), &none, part, memory_order_acq_rel, memory_order_acquire);
    return place_at(unit);
}

static bool is_of(const struct mb_slab *place, size_t first) { return place != NULL && MB_PEEK(place->large_first) == first; }

struct mb_slab *mb_large_long_slot(size_t unit) {
    struct mb_slab *place = unit >= MB_LONG_FIRST_UNIT ? place_at(unit) : NULL;
    return is_of(place, mb_pieces_in(unit)) ? place : NULL;
}

struct mb_slab *mb_large_long_at(const struct mb_unit *unit) {
    struct mb_slab *large = mb_large_long_slot(mb_unit_index(unit));
    return large != NULL && mb_large_is_record(large) ? large : NULL;
}

struct mb_slab *mb_large_far(size_t piece) {
    struct mb_slab *place = place_at(piece / MB_UNIT_PIECES);
    if (is_of(place, piece) && MB_PEEK(place->held)) return place;
    return mb_large_slot(mb_unit_at(piece / MB_UNIT_PIECES), (uint32_t)(piece % MB_UNIT_PIECES << MB_PIECE_SHIFT));
}

// A place that another block holds stays that one's. One that says the same first piece is of a block that is no more,
// since the caller has the piece: in a forked child it may still be held, by an absent thread. Written at once, since
// reading it first would be a page fault more.
static struct mb_slab *place_of_long(size_t first) {
    struct mb_slab *place = make_place(first / MB_UNIT_PIECES);
    bool held = place != NULL && __atomic_exchange_n(&place->held, true, __ATOMIC_RELAXED);
    return held && !is_of(place, first) ? NULL : place;
}

static struct mb_slab *place_for(size_t first, size_t pieces) {
    size_t unit = first / MB_UNIT_PIECES;
    if (unit < MB_LONG_FIRST_UNIT) return NULL;
    if (pieces >= mb_pieces_in(MB_LONG_UNITS)) return place_of_long(first);
    struct mb_slab *place = place_at(unit);
    if (is_of(place, first)) mb_large_let_go(place);
    return NULL;
}

struct mb_slab *mb_large_new_record(size_t first, size_t pieces) {
    struct mb_slab *large = place_for(first, pieces);
    if (large == NULL) {
        struct mb_unit *unit = mb_unit_at(first / MB_UNIT_PIECES);
        MB_POKE(unit->slab.block_bytes, 0); // it is no slab any more
        large = mb_large_slot(unit, (uint32_t)(first % MB_UNIT_PIECES << MB_PIECE_SHIFT));
        MB_POKE(large->held, true);
    }
    MB_POKE(large->large_first, (uint32_t)first);
    return large;
}

// --- any block ------------------------------------------------------------------------------------------------------

// The last block that begins in a unit, at or before a piece.
static struct mb_slab *last_begun(struct mb_unit *unit, size_t piece) {
    struct mb_slab *large = mb_large_in_half(unit, MB_UNIT_BYTES / 2);
    if (large == NULL || mb_large_first(large) > piece) large = mb_large_in_half(unit, 0);
    return large != NULL && mb_large_first(large) <= piece ? large : NULL;
}

struct mb_slab *mb_large_around(const void *p) {
    size_t piece = mb_piece_of(p);
    for (size_t unit = piece / MB_UNIT_PIECES + 1; unit > 0; unit--) {
        struct mb_unit *at = mb_unit_at(unit - 1);
        enum mb_unit_kind kind = mb_unit_kind(at);
        if (kind == MB_UNIT_SLAB || kind == MB_UNIT_HOLE) return NULL;
        struct mb_slab *large = last_begun(at, piece);
        if (large != NULL) return piece - mb_large_first(large) < MB_PEEK(large->large_pieces) ? large : NULL;
        if (mb_arena_is_free(unit - 1)) return NULL;
    }
    return NULL;
}
