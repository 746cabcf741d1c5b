// The span of a large block: how long it is, the guard page behind it, and how it goes back to the arena.
//
// Who: the thread that has the block or, once it is claimed, its span.
#ifndef MB_CORE_LARGE_LARGE_SPAN_H
#define MB_CORE_LARGE_LARGE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/region/changed.h"
#include "core/region/large_record.h"

// The memory for a block of so many bytes: whole pages, at least half a unit; from 512 KiB on whole units, with a guard
// page if it is long. False if the window is too small.
struct mb_large_extent {
    size_t bytes, pieces;
    size_t least, most; // pieces of a kept block that serves as well
};
bool mb_large_extent_of(size_t bytes, struct mb_large_extent *out);

MB_INLINE void mb_large_set_flags(struct mb_slab *large, uint32_t flags) { MB_POKE(large->large_flags, flags); }
MB_INLINE void mb_large_unmark(struct mb_slab *large, uint32_t flags) { mb_large_set_flags(large, large->large_flags & ~flags); }

// Makes a guard page, if the system can: the page behind a long block / the last page of so many pieces. The block has
// no guard page before.
void mb_large_put_guard(struct mb_slab *large, const void *p);
void mb_large_put_far_guard(struct mb_slab *large, const void *p, size_t pieces);

// Whether a far guard page is up and would not lie inside a block of so many bytes.
bool mb_large_far_guard_stays(const struct mb_slab *large, size_t bytes);

// Takes the guard page away, if one is up. False when the system refuses every way to make the page usable again.
bool mb_large_remove_guard(struct mb_slab *large, const void *p);

// Makes the block `bytes` (whole pages) long, its guard page with it (a far one stays). False: it stays as it is.
bool mb_large_move_guard(struct mb_slab *large, void *p, size_t bytes);
MB_INLINE bool mb_large_set_bytes(struct mb_slab *large, void *p, size_t bytes) {
    return MB_LIKELY(large->large_bytes == bytes) || mb_large_move_guard(large, p, bytes);
}

// What a program has done to the pages of a block.
MB_INLINE enum mb_change mb_large_change(const struct mb_slab *large) {
    size_t first = mb_large_first(large), unit = first / MB_UNIT_PIECES;
    return mb_changed(unit, mb_units_for(first + large->large_pieces) - unit);
}

// Whether the pages may serve again as they are, the guard page too.
bool mb_large_stays_warm(const struct mb_slab *large);

// Only one of two threads that free the same block gets it: its descriptor then says MB_UNIT_NONE. For the other thread
// the fault is reported (and the process ends).
void mb_large_claim(struct mb_slab *large, const void *p);

// All of a claimed block's pieces, or some, to the arena.
void mb_large_give(struct mb_slab *large);
void mb_large_give_part(void *p, size_t pieces, bool moved);

#endif
