// The pattern in memory that must not be used: filled in when memory is freed, checked before it is used again.
//
// What: every byte is 0xDE; read as a pointer, the pattern is not a valid address on any supported machine. A write of
// any other value is found; a write of the same value has changed nothing.
// Who: the thread that owns the bytes.
#ifndef MB_CORE_HARDEN_POISON_FILL_H
#define MB_CORE_HARDEN_POISON_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "platform/compiler.h"

enum { MB_POISON_BYTE = 0xDE };
static const uint64_t MB_POISON_WORD = UINT64_C(0xDEDEDEDEDEDEDEDE);

MB_INLINE void mb_poison_fill(void *p, size_t bytes) { memset(p, MB_POISON_BYTE, bytes); }

MB_INLINE uint64_t mb_poison_difference(const unsigned char *at) {
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word ^ MB_POISON_WORD;
}

// Whether all bytes still hold the pattern. p may have any alignment.
MB_INLINE bool mb_poison_intact(const void *p, size_t bytes) {
    const unsigned char *at = p, *end = at + bytes;
    uint64_t wrong = 0;
    for (; wrong == 0 && end - at >= 32; at += 32)
        wrong = mb_poison_difference(at) | mb_poison_difference(at + 8) | mb_poison_difference(at + 16) |
                mb_poison_difference(at + 24);
    for (; wrong == 0 && end - at >= 8; at += 8) wrong = mb_poison_difference(at);
    for (; wrong == 0 && end > at; at++) wrong = *at ^ MB_POISON_BYTE;
    return wrong == 0;
}

// The first byte that does not, for reports; p + bytes when all do.
MB_INLINE const void *mb_poison_first_wrong(const void *p, size_t bytes) {
    const unsigned char *at = p, *end = at + bytes;
    while (at < end && *at == MB_POISON_BYTE) at++;
    return at;
}

#endif
