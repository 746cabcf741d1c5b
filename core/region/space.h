// The arena's front as an address range, and where its descriptors are: what the hot path needs, on one cache line.
//
// Base and table are constant after the start, and the base is MB_SPACE_NOWHERE before it; bytes only rises, written
// under the arena's lock after the descriptors behind it are readable. Any thread.
#ifndef MB_CORE_REGION_SPACE_H
#define MB_CORE_REGION_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/atomic.h"
#include "platform/compiler.h"

struct mb_unit;

struct mb_space {
    uintptr_t base; // a multiple of the unit
    size_t bytes;
    struct mb_unit *table;
} MB_CACHE_ALIGNED;

extern MB_HIDDEN struct mb_space mb_space; // hidden: else each access loads the address first

// The base before the start: further from every address of a program than these are from each other.
static const uintptr_t MB_SPACE_NOWHERE = (uintptr_t)1 << 62;
static const uintptr_t MB_SPACE_PROGRAM_END = (uintptr_t)1 << 57;

// True for addresses of the front; NULL, foreign and wild pointers are not.
MB_INLINE bool mb_space_contains(const void *p) { return (uintptr_t)p - MB_PEEK(mb_space.base) < MB_PEEK(mb_space.bytes); }

// The address of a unit.
MB_INLINE uintptr_t mb_unit_address(size_t index) { return mb_space.base + (index << MB_UNIT_SHIFT); }

// The unit of an address inside the front, and where in it the address lies.
MB_INLINE size_t mb_unit_index_of(const void *p) { return ((uintptr_t)p - mb_space.base) >> MB_UNIT_SHIFT; }
MB_INLINE uint32_t mb_unit_offset(const void *p) { return (uint32_t)((uintptr_t)p & MB_UNIT_MASK); }

#endif
