// Bit operations, rounding and overflow checks on integers. Pure functions, any thread.
#ifndef MB_PLATFORM_BITS_H
#define MB_PLATFORM_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/atomic.h"
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

// Words at any address.
MB_INLINE uint32_t mb_word32_at(const void *at) {
    uint32_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}
MB_INLINE uint64_t mb_word64_at(const void *at) {
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}

// Index of the lowest / highest set bit; x must not be 0.
MB_INLINE uint64_t mb_lowest_bit(uint64_t x) {
#if defined(__x86_64__)
    uint64_t index; // 64 bits wide from the start: the compiler's builtin costs an extension
    __asm__("rep bsfq %1, %0" : "=r"(index) : "r"(x) : "cc");
    return index;
#else
    return (uint64_t)__builtin_ctzll(x);
#endif
}
MB_INLINE unsigned mb_ctz64(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
MB_INLINE unsigned mb_log2(uint64_t x) { return 63u - (unsigned)__builtin_clzll(x); }
// How many bits are set, without the popcnt instruction, which not every x86-64 has. Written out, because the
// compiler's builtin is then a call of libgcc.
MB_INLINE unsigned mb_popcount64(uint64_t x) {
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(x * UINT64_C(0x0101010101010101) >> 56);
}

// A mask of `count` (0..64) bits from bit `first` on; first + count <= 64.
MB_INLINE uint64_t mb_bit_range(unsigned first, unsigned count) {
    if (count == 0) return 0;
    return (~UINT64_C(0) >> (64 - count)) << first;
}

// The low and the high half of the 64-bit product of two 32-bit numbers.
struct mb_halves {
    uint32_t low;
    uint64_t high; // 64 bits wide, so that it can be an index without an extension
};
MB_INLINE struct mb_halves mb_multiply(uint32_t a, const uint32_t *b) {
    struct mb_halves product;
#if defined(__x86_64__) && !MB_TSAN
    // One instruction leaves both halves in registers of their own, and takes its second operand from memory.
    __asm__("mull %3" : "=a"(product.low), "=d"(product.high) : "0"(a), "m"(*b) : "cc");
#else
    uint64_t whole = (uint64_t)a * MB_PEEK(*b);
    product.low = (uint32_t)whole;
    product.high = whole >> 32;
#endif
    return product;
}

// Sets bit `index % 64` of *word and returns whether it was set before.
MB_INLINE bool mb_bit_test_set(uint64_t *word, uint64_t index) {
#if defined(__x86_64__)
    bool was; // one instruction, which compilers do not find
    __asm__("btsq %2, %0" : "+r"(*word), "=@ccc"(was) : "r"(index));
    return was;
#else
    uint64_t bit = UINT64_C(1) << (index % 64);
    bool was = (*word & bit) != 0;
    *word |= bit;
    return was;
#endif
}

MB_INLINE size_t mb_min(size_t a, size_t b) { return a < b ? a : b; }
MB_INLINE size_t mb_max(size_t a, size_t b) { return a > b ? a : b; }

#endif
