// The records of large blocks, and the way to them from an address and back.
//
// What: a block of 32 KiB and more has a record in the descriptor of the unit that it begins in. Two blocks may begin in one unit, because neither is
// shorter than half of it: the one that begins in the lower half has the record that a slab would have, the other one that where a slab's bits are.
//
//   unit      |......end of A.|==== B ======|==== C =     slab: B      upper: C
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

// Where the record of a block is that begins there.
MB_INLINE struct mb_slab *mb_large_slot(struct mb_unit *unit, uint32_t offset) {
    return (struct mb_slab *)((char *)unit + offset / (MB_UNIT_BYTES / 2) * offsetof(struct mb_unit, upper));
}
MB_INLINE struct mb_slab *mb_large_of_piece(size_t piece) {
    return (struct mb_slab *)((char *)mb_space.table + piece / (MB_UNIT_PIECES / 2) * offsetof(struct mb_unit, upper));
}
_Static_assert(2 * offsetof(struct mb_unit, upper) == sizeof(struct mb_unit), "records lie at equal distances");

// Where the block begins that the record is of.
MB_INLINE size_t mb_large_first(const struct mb_slab *large) { return MB_PEEK(large->large_first); }
MB_INLINE void *mb_large_start(const struct mb_slab *large) { return mb_piece_address(mb_large_first(large)); }

MB_INLINE bool mb_large_is_record(const struct mb_slab *large) {
    return __atomic_load_n(&large->kind, __ATOMIC_ACQUIRE) == (uint8_t)MB_UNIT_LARGE;
}
MB_INLINE void mb_large_set_kind(struct mb_slab *large, enum mb_unit_kind kind) {
    __atomic_store_n(&large->kind, (uint8_t)kind, __ATOMIC_RELEASE);
}

// The large block that begins in the lower or upper half of a unit; NULL: none. A slab has bits where the upper record would be.
MB_INLINE struct mb_slab *mb_large_in_half(struct mb_unit *unit, uint32_t offset) {
    struct mb_slab *large = mb_large_slot(unit, offset);
    bool there = mb_large_is_record(large) && (offset < MB_UNIT_BYTES / 2 || mb_unit_kind(unit) != MB_UNIT_SLAB);
    return there ? large : NULL;
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
