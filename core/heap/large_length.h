// The lengths of large blocks, and which of a heap's caches is for which.
//
// What: a block of up to 512 KiB gets a length of which there are eight between a power of two and the next one, so
// that one that is freed soon finds a request that it fits; at most an eighth of it is more than was asked for. Each of
// a heap's caches for them has one length of every eight, and the next longer one is in the next cache.
#ifndef MB_CORE_HEAP_LARGE_LENGTH_H
#define MB_CORE_HEAP_LARGE_LENGTH_H

#include <stddef.h>

#include "core/base/config.h"
#include "platform/bits.h"
#include "platform/compiler.h"

// Short lengths, in pieces: those of blocks that are no small ones and share units.
enum { MB_LARGE_SHORT_MIN = (MB_MEDIUM_MAX >> MB_PIECE_SHIFT) + 1, MB_LARGE_SHORT_MAX = MB_PIECED_MAX >> MB_PIECE_SHIFT };
enum { MB_LARGE_LONG_SET = 8 }; // behind those of the short lengths

// The length of a new block that needs `more` + 1 pieces (of more than 512 KiB: what it needs), and its cache if there
// are caches for the first `lengths` short ones.
struct mb_large_place {
    size_t set, pieces;
};
MB_INLINE struct mb_large_place mb_large_place_of(size_t more, size_t lengths) {
    if (MB_UNLIKELY(more - (MB_LARGE_SHORT_MIN - 1) >= lengths)) return (struct mb_large_place){MB_LARGE_LONG_SET, more + 1};
    unsigned shift = mb_log2(more) - 3; // so that 8 to 15 of them are left
    return (struct mb_large_place){(more >> shift) % MB_LARGE_LONG_SET, ((more >> shift) + 1) << shift};
}
enum { MB_LARGE_SHORT_LENGTHS = MB_LARGE_SHORT_MAX - MB_LARGE_SHORT_MIN + 1 };
MB_INLINE size_t mb_large_length(size_t more) { return mb_large_place_of(more, MB_LARGE_SHORT_LENGTHS).pieces; }

// The longest block that may serve a request of so many pieces.
MB_INLINE size_t mb_large_longest_for(size_t pieces) { return pieces + pieces / (pieces > MB_LARGE_SHORT_MAX ? 8 : 7); }

#endif
