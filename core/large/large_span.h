// The units of a large block: how many, the guard page behind it, and how they go back to the arena.
//
// Who: the thread that has the block or, once it is claimed, its units.
#ifndef MB_CORE_LARGE_LARGE_SPAN_H
#define MB_CORE_LARGE_LARGE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/region/changed.h"
#include "core/region/unit.h"

// What a block of so many bytes takes: whole pages, a guard page if it is long, whole units. False beyond the window.
struct mb_large_extent {
    size_t bytes, units;
};
bool mb_large_extent_of(size_t bytes, struct mb_large_extent *out);

MB_INLINE void mb_large_set_flags(struct mb_slab *large, uint32_t flags) { MB_POKE(large->large_flags, flags); }
MB_INLINE void mb_large_unmark(struct mb_slab *large, uint32_t flags) { mb_large_set_flags(large, large->large_flags & ~flags); }

// Makes the page behind a long block inaccessible, where the system can / the last one of so many units instead. None is up.
void mb_large_put_guard(struct mb_slab *large, const void *p);
void mb_large_put_far_guard(struct mb_slab *large, const void *p, size_t units);

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
    return mb_changed(mb_unit_index(mb_slab_unit(large)), large->large_units);
}

// Whether the pages may serve again as they are, the guard page too.
bool mb_large_stays_warm(const struct mb_slab *large);

// One of two threads that free the same block gets it: its descriptor says MB_UNIT_NONE from now on. The other one is told (the process ends).
void mb_large_claim(struct mb_unit *unit, const void *p);

// All of a claimed block's units, or some, to the arena.
void mb_large_give(struct mb_slab *large, char *p);
void mb_large_give_part(void *p, size_t units, bool moved);

#endif
