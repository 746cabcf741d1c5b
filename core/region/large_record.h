// The records of large blocks, and the way to them from an address and back.
//
// What: a block of 32 KiB and more has a record in the descriptor of the unit that it begins in. Two blocks may begin
// in one unit, because neither is shorter than half of it: the one that begins in the lower half has the record that a
// slab would have, the other one that where a slab's bits are.
//
//   unit      |......end of A.|==== B ======|==== C =     slab: B      upper: C
//
// A long block, of 1 MiB and more, would touch a page of descriptors of its own, since 16 units have one. So behind the
// first 64 MiB of the window, where these pages add up, its record lies in a second table, with one record for each 1
// MiB of the window: two long blocks cannot begin in the same one. If one that was long when it was made has been cut
// since, the next long block that begins there has its record in the descriptor.
//
// A record of a block that was freed keeps what it says until another block, or a slab, takes its place.
// Who: any thread; what is written is the block's owner's.
#ifndef MB_CORE_REGION_LARGE_RECORD_H
#define MB_CORE_REGION_LARGE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/region/pieces.h"
#include "core/region/unit.h"

enum mb_large_flags {
    MB_LARGE_MOVED = 1,      // pages were moved in or out: map afresh when freed, so that VMAs merge again
    MB_LARGE_GUARDED = 2,    // the page behind the block is inaccessible
    MB_LARGE_KEPT = 4,       // freed by the thread that made it, and kept for it
    MB_LARGE_UNTOUCHED = 8,  // no page was resident when calloc handed it out last
    MB_LARGE_GUARD_FAR = 16, // the guard page is the last of guard_pieces, not the one right behind the block
    MB_LARGE_GROWN = 32,     // counts from here on up: how often it has taken units behind it, up to
    MB_LARGE_GROWN_OFTEN = 4 * MB_LARGE_GROWN,
    MB_LARGE_GROWN_MASK = 7 * MB_LARGE_GROWN,
    MB_LARGE_SHRANK = 256, // realloc has given a part of it back
    MB_LARGE_SWINGS = 512, //   and has made it longer since
    MB_LARGE_STEPS = MB_LARGE_GROWN_MASK | MB_LARGE_SHRANK | MB_LARGE_SWINGS,
};

enum {
    MB_LONG_UNITS = 16,        // from so many on a block is long
    MB_LONG_FIRST_UNIT = 1024, // and has its record in the second table, if it begins there or behind
    MB_LONG_IN_PART = 1024,    // records in a part of that table
    MB_LONG_PARTS = ((size_t)1 << (MB_WINDOW_SHIFT - MB_UNIT_SHIFT)) / MB_LONG_UNITS / MB_LONG_IN_PART,
};
extern MB_HIDDEN struct mb_long_records_shared {
    _Atomic(struct mb_slab *) parts[MB_LONG_PARTS]; // NULL until one is needed; CAS, acquire
} mb_long_records_shared;

// Where the record of a block is that begins there, unless it is a long one's.
MB_INLINE struct mb_slab *mb_large_slot(struct mb_unit *unit, uint32_t offset) {
    return (struct mb_slab *)((char *)unit + offset / (MB_UNIT_BYTES / 2) * offsetof(struct mb_unit, upper));
}
_Static_assert(2 * offsetof(struct mb_unit, upper) == sizeof(struct mb_unit), "records lie at equal distances");

// The record in the second table that is, or was last, of a long block that begins at that unit; NULL: none.
struct mb_slab *mb_large_long_slot(size_t unit);

// The record of the block, live or kept, that begins with a piece.
struct mb_slab *mb_large_far(size_t piece);
// Below the first unit that has records in a second table, the record is in the unit's descriptor.
MB_INLINE bool mb_large_is_near(size_t piece) { return piece < (size_t)MB_LONG_FIRST_UNIT * MB_UNIT_PIECES; }
MB_INLINE struct mb_slab *mb_large_near(size_t piece) {
    return (struct mb_slab *)((char *)mb_space.table + piece / (MB_UNIT_PIECES / 2) * offsetof(struct mb_unit, upper));
}
MB_INLINE struct mb_slab *mb_large_of_piece(size_t piece) {
    return MB_LIKELY(mb_large_is_near(piece)) ? mb_large_near(piece) : mb_large_far(piece);
}

// A place for the record of a block that is made of these pieces; large_first and held are set. The caller has the
// pieces.
struct mb_slab *mb_large_new_record(size_t first, size_t pieces);
// The block goes back to the arena: the place is free again.
MB_INLINE void mb_large_let_go(struct mb_slab *large) { MB_POKE(large->held, false); }

// Where the block begins that the record is of.
MB_INLINE size_t mb_large_first(const struct mb_slab *large) { return MB_PEEK(large->large_first); }
MB_INLINE void *mb_large_start(const struct mb_slab *large) { return mb_piece_address(mb_large_first(large)); }

MB_INLINE bool mb_large_is_record(const struct mb_slab *large) {
    return __atomic_load_n(&large->kind, __ATOMIC_ACQUIRE) == (uint8_t)MB_UNIT_LARGE;
}
MB_INLINE void mb_large_set_kind(struct mb_slab *large, enum mb_unit_kind kind) {
    __atomic_store_n(&large->kind, (uint8_t)kind, __ATOMIC_RELEASE);
}

// The long block that begins at a unit and has its record in the second table; NULL: none.
struct mb_slab *mb_large_long_at(const struct mb_unit *unit);

// The large block that begins in the lower or upper half of a unit; NULL: none. A slab has bits where the upper record
// would be.
MB_INLINE struct mb_slab *mb_large_in_half(struct mb_unit *unit, uint32_t offset) {
    struct mb_slab *large = mb_large_slot(unit, offset);
    if (mb_large_is_record(large)) return offset < MB_UNIT_BYTES / 2 || mb_unit_kind(unit) != MB_UNIT_SLAB ? large : NULL;
    return MB_UNLIKELY(unit >= mb_unit_at(MB_LONG_FIRST_UNIT)) && offset < MB_UNIT_BYTES / 2 ? mb_large_long_at(unit) : NULL;
}

// Whether the record, if it is one, is of a block that begins at that offset of its unit.
MB_INLINE bool mb_large_begins_at(const struct mb_slab *large, uint32_t offset) {
    return (MB_PEEK(large->large_first) << MB_PIECE_SHIFT & MB_UNIT_MASK) == offset;
}

// The large block that begins at an address of the front, live or kept; NULL: none.
MB_INLINE struct mb_slab *mb_large_at(struct mb_unit *unit, uint32_t offset) {
    struct mb_slab *large = mb_large_in_half(unit, offset);
    return large != NULL && mb_large_begins_at(large, offset) ? large : NULL;
}

// The large block that an address of the front lies in, its rest behind its end included; NULL: none.
struct mb_slab *mb_large_around(const void *p);

#endif
