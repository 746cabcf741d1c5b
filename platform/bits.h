// Bit and size arithmetic without surprises. Pure functions, any thread.
#ifndef MB_PLATFORM_BITS_H
#define MB_PLATFORM_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

MB_INLINE bool mb_is_pow2(size_t x) { return x != 0 && (x & (x - 1)) == 0; }

// `align` is a power of two. The caller has made sure that the sum does not wrap.
MB_INLINE size_t mb_align_up(size_t x, size_t align) { return (x + (align - 1)) & ~(align - 1); }
MB_INLINE size_t mb_align_down(size_t x, size_t align) { return x & ~(align - 1); }
MB_INLINE bool mb_is_aligned(size_t x, size_t align) { return (x & (align - 1)) == 0; }

// False when the rounded value does not fit into size_t; *out is then untouched.
MB_INLINE bool mb_align_up_checked(size_t x, size_t align, size_t *out) {
    size_t sum;
    if (__builtin_add_overflow(x, align - 1, &sum)) return false;
    *out = sum & ~(align - 1);
    return true;
}

MB_INLINE bool mb_mul_overflows(size_t a, size_t b, size_t *out) { return __builtin_mul_overflow(a, b, out); }

// Index of the lowest / highest set bit; x must not be 0.
MB_INLINE unsigned mb_ctz64(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
MB_INLINE unsigned mb_log2(uint64_t x) { return 63u - (unsigned)__builtin_clzll(x); }
MB_INLINE unsigned mb_popcount64(uint64_t x) { return (unsigned)__builtin_popcountll(x); }

// A mask of `count` (0..64) bits from bit `first` on; first + count <= 64.
MB_INLINE uint64_t mb_bit_range(unsigned first, unsigned count) {
    if (count == 0) return 0;
    return (~UINT64_C(0) >> (64 - count)) << first;
}

MB_INLINE size_t mb_min(size_t a, size_t b) { return a < b ? a : b; }
MB_INLINE size_t mb_max(size_t a, size_t b) { return a > b ? a : b; }

#endif
