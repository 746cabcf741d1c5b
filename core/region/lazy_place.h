// Where a window of address space starts: at a random place where no other window can grow into it, nor it into another
// one.
//
// Who: the thread that starts the arena, alone.
#ifndef MB_CORE_REGION_LAZY_PLACE_H
#define MB_CORE_REGION_LAZY_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/region/lazy.h"

// Sets `lazy` up as a window that may grow to `capacity` bytes, less where the system has no such room, and reserves
// the first `bytes` of it. `placed` are the windows that are there already, NULL behind the last; one that is all zero
// has no place yet. False: the system refuses even the first bytes.
bool mb_lazy_place(struct mb_lazy_shared *lazy, uint64_t random, size_t bytes, size_t capacity,
                   const struct mb_lazy_shared *const placed[]);

#endif
