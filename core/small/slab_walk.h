// A walk over all slabs, some at a time: from where the last walk stopped, round and round, each slab at most once in a
// walk.
//
// What: a walk reads the map's bits and the slabs' own descriptors, and ends where 65536 units on end hold no slab, so
// that one step is short whatever the heap holds; the next walk goes on behind them.
// Who: any thread, each with a walk of its own.
#ifndef MB_CORE_SMALL_SLAB_WALK_H
#define MB_CORE_SMALL_SLAB_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/region/arena.h"
#include "core/region/unit.h"

struct mb_slab_walk {
    size_t start, at; // `at`: where the next walk begins
    bool around;
};

MB_INLINE struct mb_slab_walk mb_slab_walk_from(size_t start) { return (struct mb_slab_walk){start, start, false}; }

// The unit of the next slab, or of what was one a moment ago; NULL at the walk's end.
MB_INLINE struct mb_unit *mb_slab_walk_next(struct mb_slab_walk *walk) {
    size_t found = mb_arena_next_slab_near(walk->at), behind = walk->at + MB_NEAR_UNITS;
    bool at_end = found == MB_NO_UNIT && behind >= mb_arena_units();
    if (at_end && !walk->around) {
        walk->around = true;
        found = mb_arena_next_slab_near(0);
        behind = MB_NEAR_UNITS;
    }
    if (found == MB_NO_UNIT) walk->at = behind < mb_arena_units() ? behind : 0;
    if (found == MB_NO_UNIT || (walk->around && found >= walk->start)) return NULL;
    walk->at = found + 1;
    return mb_unit_at(found);
}

#endif
