// How a large block gets its memory: what large.c and large_move.c share.
//
// Who: the owner thread of the heap.
#ifndef MB_CORE_FRONT_LARGE_TAKE_H
#define MB_CORE_FRONT_LARGE_TAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/self.h"
#include "core/region/huge.h"
#include "core/region/pieces.h"

// What needs no whole units shares them with others.
MB_INLINE bool mb_large_is_pieced(size_t pieces, size_t align) {
    return pieces <= MB_PIECED_MAX >> MB_PIECE_SHIFT && align <= MB_UNIT_BYTES;
}

// Takes pieces from the arena. When memory is short, slabs that hold nothing may help, this heap's own and sleeping
// ones', and the commit charge of free spans. False: no memory.
bool mb_large_take_run(struct mb_heap *heap, size_t pieces, size_t align, struct mb_run *out);

// Tells core/region/huge.h that a block of so many bytes uses the run.
void mb_large_note_use(const struct mb_run *run, size_t bytes, enum mb_huge_use use);

// Makes the record of a new block; returns its start.
void *mb_large_set_up(struct mb_heap *heap, const struct mb_run *run, size_t bytes);

#endif
