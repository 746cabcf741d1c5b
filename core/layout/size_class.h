// Size classes: multiples of 16 bytes up to 128, then eight per doubling, so at most 12.5 % of a block is lost.
//
//   class   0 ..  7    16, 32, ... 128
//   class   8 .. 71    144 ... 32768
//
// A slab is one unit; where the last block ends before the unit does, the rest is never touched.
// Pure functions; any thread.
#ifndef MB_CORE_LAYOUT_SIZE_CLASS_H
#define MB_CORE_LAYOUT_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/bits.h"
#include "platform/compiler.h"

enum {
    MB_CLASSES = 72,
};

// The class of `bytes`, 0 .. MB_MEDIUM_MAX.
MB_INLINE unsigned mb_class_of(size_t bytes) {
    size_t x = bytes == 0 ? 0 : (bytes - 1) / MB_GRANULE;
    if (x < 8) return (unsigned)x;
    unsigned shift = mb_log2(x) - 3;
    return shift * 8 + (unsigned)(x >> shift);
}

// The same by size, 0 .. MB_SMALL_MAX, for the hot path. An entry a byte and not a granule: rounding up takes two
// instructions of every malloc (a pair 4 to 6 % faster, larger live sets as before).
extern MB_HIDDEN const uint8_t mb_small_class_of[MB_SMALL_MAX + 1];

MB_INLINE uint32_t mb_class_bytes(unsigned class_index) {
    if (class_index < 8) return (class_index + 1) * MB_GRANULE;
    unsigned shift = class_index / 8 - 1;
    return ((class_index % 8 + 9) << shift) * MB_GRANULE;
}

// What to ask for so that the block starts at a multiple of `align`, a power of two: the size rounded up to the
// alignment. Blocks of a class start at multiples of its size from a multiple of 64 KiB. Between 2^n and 2^(n+1) the
// class sizes are the multiples of 2^n / 8: an alignment up to that divides all of them, and a larger one makes the
// rounded size one of them. SIZE_MAX: no class.
MB_INLINE size_t mb_bytes_to_align(size_t align, size_t bytes) {
    size_t rounded;
    if (!mb_align_up_checked(mb_max(bytes, 1), align, &rounded) || rounded > MB_MEDIUM_MAX) return SIZE_MAX;
    return rounded;
}

#endif
