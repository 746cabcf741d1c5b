// The word behind a block that an overflow cannot pass unseen.
//
//   p                    p + requested        p + requested + 8      p + usable
//   |===== the user's ===| 0 . . . . . . . |  rest of the slack      |
//
// What: eight bytes right behind the requested ones (any address): 56 secret bits that depend on where they stand, so
// that a canary copied from another block is wrong; the first byte is zero and ends a string that runs over the edge.
// Who: the key is written once, before the first block exists; any thread reads it.
// Idea: StackGuard's terminator canary (Cowan et al., 1998); the slack of the size class as its place from
// hardened_malloc.
#ifndef MB_CORE_HARDEN_CANARY_WORD_H
#define MB_CORE_HARDEN_CANARY_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "platform/compiler.h"

enum { MB_CANARY_BYTES = 8 };

struct mb_canary_key {
    uint64_t secret[2];
};

// The canary of an address, as the word that a little-endian machine loads: the low byte is the first.
MB_INLINE uint64_t mb_canary_of(const struct mb_canary_key *key, uintptr_t address) {
    return mb_mix64((address ^ key->secret[0]) * (key->secret[1] | 1)) & ~UINT64_C(0xff);
}

// Whether a block of `requested` bytes has room for a canary in its `usable` bytes.
MB_INLINE bool mb_canary_fits(size_t requested, size_t usable) {
    return requested <= usable && usable - requested >= MB_CANARY_BYTES;
}

MB_INLINE void mb_canary_write(const struct mb_canary_key *key, void *p, size_t requested) {
    char *at = (char *)p + requested;
    uint64_t canary = mb_canary_of(key, (uintptr_t)at);
    __builtin_memcpy(at, &canary, sizeof canary);
}

MB_INLINE bool mb_canary_intact(const struct mb_canary_key *key, const void *p, size_t requested) {
    const char *at = (const char *)p + requested;
    uint64_t found;
    __builtin_memcpy(&found, at, sizeof found);
    return found == mb_canary_of(key, (uintptr_t)at);
}

#endif
