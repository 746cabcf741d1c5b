// The walk of core/insight/count.h, in two parts: the memory (count_units.c), and heaps and sums (count.c). For these
// two files alone.
//
// Who: the thread that counts; the struct is its own.
#ifndef MB_CORE_INSIGHT_COUNT_WALK_H
#define MB_CORE_INSIGHT_COUNT_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/insight/count.h"
#include "core/insight/residency.h"
#include "core/layout/slab.h"

// A large block: where it begins, where it and what it has end.
struct mb_count_block {
    uintptr_t begin, live_end, end;
    bool kept;
};

struct mb_count_walk {
    struct mb_count *out;
    struct mb_residency residency;
    bool threads;                // this walk writes into the heaps
    struct mb_count_block block; // the last one
    size_t end;                  // units
};

MB_INLINE size_t mb_count_less(size_t a, size_t b) { return a > b ? a - b : 0; }

// Adds up what all units, blocks outside the arena, guarded samples and metadata hold, and, if the walk has `threads`,
// the free bytes in each heap's slabs.
void mb_count_units(struct mb_count_walk *walk);

// The free bytes of a heap's slab that does not name its heap yet: its first thread has kept it since it was made. 0
// for any other slab, and for NULL.
uint64_t mb_count_held_unnamed(const struct mb_slab *slab);

#endif
