// Random numbers for choices that an attacker or a test pattern should not foresee; not for keys that are used often.
// Source: splitmix64, Sebastiano Vigna's finaliser over a Weyl sequence (after Steele, Lea, Flood, OOPSLA 2014).
#ifndef MB_CORE_BASE_RNG_H
#define MB_CORE_BASE_RNG_H

#include <stdint.h>

#include "platform/compiler.h"

struct mb_rng {
    uint64_t state; // the seed; any value will do
};

static const uint64_t MB_RNG_STEP = UINT64_C(0x9e3779b97f4a7c15);

// Spreads every bit of x over all bits: a bijection. Any thread.
MB_INLINE uint64_t mb_mix64(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

MB_INLINE uint64_t mb_rng_next(struct mb_rng *rng) { return mb_mix64(rng->state += MB_RNG_STEP); }

// A number below `bound` (not 0), with a bias below bound / 2^32.
MB_INLINE uint32_t mb_rng_below(struct mb_rng *rng, uint32_t bound) {
    return (uint32_t)((mb_rng_next(rng) >> 32) * bound >> 32);
}

#endif
