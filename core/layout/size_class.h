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

enum {
    MB_CLASSES = 72,
    MB_SMALL_GRANULES = MB_SMALL_MAX / MB_GRANULE + 1, // entries of a table indexed by (bytes + 15) / 16
};

// The class of `bytes`, 0 .. MB_MEDIUM_MAX.
MB_INLINE unsigned mb_class_of(size_t bytes) {
    size_t x = bytes == 0 ? 0 : (bytes - 1) / MB_GRANULE;
    if (x < 8) return (unsigned)x;
    unsigned shift = mb_log2(x) - 3;
    return shift * 8 + (unsigned)(x >> shift);
}

MB_INLINE uint32_t mb_class_bytes(unsigned class_index) {
    if (class_index < 8) return (class_index + 1) * MB_GRANULE;
    unsigned shift = class_index / 8 - 1;
    return ((class_index % 8 + 9) << shift) * MB_GRANULE;
}

// The class for blocks that start at multiples of `align`, a power of two: blocks of a class start at multiples of its size
// from a multiple of 64 KiB, so a size that is a multiple of the alignment does. MB_CLASSES if there is none.
MB_INLINE unsigned mb_class_of_aligned(size_t align, size_t bytes) {
    size_t rounded;
    if (!mb_align_up_checked(mb_max(bytes, 1), align, &rounded) || rounded > MB_MEDIUM_MAX) return MB_CLASSES;
    unsigned class_index = mb_class_of(rounded);
    while (class_index < MB_CLASSES && mb_class_bytes(class_index) % align != 0) class_index++;
    return class_index;
}

#endif
