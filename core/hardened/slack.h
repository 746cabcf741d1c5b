// What lies between the bytes that were asked for and the end of the slot: canary, zeros, canary.
//
//   p              p + bytes                                      p + slot
//   |==the user's==| c c c c c c c c ... | 0 0 0 ... 0 | c c c c c c c c |
//
// What: the words around the end of the block and the last word of the slot hold a secret of the slot; what lies
// between is zero. So is all of a slot that holds no block: whatever is written there is found. Every byte of a canary
// is 0x80 to 0xfe: a terminating zero, text, or 0xff that is written one byte too far always differs. (Other allocators
// make the first byte zero, so that a string without an end stops there; then the commonest overflow of all, that zero,
// goes unseen.)
// Who: whoever holds the slot. Sizes of slots are multiples of 16, large blocks' pages of 8.
// Idea: hardened_malloc's slab canaries, by size asked for instead of at the slot's end.
#ifndef MB_CORE_HARDENED_SLACK_H
#define MB_CORE_HARDENED_SLACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/rng.h"
#include "platform/compiler.h"

enum { MB_SLACK_MIN = 8 }; // bytes that every small block has behind it
enum { MB_SLACK_WHOLE_MAX = 512 };

typedef uint64_t mb_slack_pair __attribute__((vector_size(16), aligned(8), may_alias));

// One multiplication, each half of which depends on all bits of the slot's number.
MB_INLINE uint64_t mb_slack_word(uint64_t salt, const void *p) {
    uint64_t word = ((uintptr_t)p ^ salt) * MB_RNG_STEP;
    return ((word ^ word >> 32) | UINT64_C(0x8080808080808080)) & UINT64_C(0xfefefefefefefefe);
}

MB_INLINE uint64_t mb_slack_load(const char *at) {
    uint64_t word;
    __builtin_memcpy(&word, __builtin_assume_aligned(at, 8), sizeof word);
    return word;
}
MB_INLINE void mb_slack_store(char *at, uint64_t word) { __builtin_memcpy(__builtin_assume_aligned(at, 8), &word, sizeof word); }

// The bytes of the word around the end that lie behind the end (all of them: the end is a word's start).
MB_INLINE uint64_t mb_slack_mask(size_t bytes) { return ~UINT64_C(0) << (bytes % 8 * 8); }

// All bytes are zero; p and the length are multiples of 8. Longer runs in chunks of 64 bytes, of which the last may
// overlap the one before.
MB_INLINE bool mb_slack_is_zero(const char *p, size_t bytes) {
    enum { CHUNK = 64 };
    const char *end = p + bytes;
    if (bytes < CHUNK) {
        uint64_t any = 0;
        for (; p < end; p += 8) any |= mb_slack_load(p);
        return any == 0;
    }
    const mb_slack_pair *at = (const mb_slack_pair *)(const void *)(end - CHUNK);
    mb_slack_pair all = at[0] | at[1] | at[2] | at[3];
    for (; p < end - CHUNK; p += CHUNK) {
        at = (const mb_slack_pair *)(const void *)p;
        all |= at[0] | at[1] | at[2] | at[3];
    }
    return (all[0] | all[1]) == 0;
}

// The same of a slot: a multiple of 16, aligned so. Up to 64 bytes without a loop.
MB_INLINE bool mb_slack_is_zero_slot(const char *p, size_t slot) {
    if (slot > 64) return mb_slack_is_zero(p, slot);
    const mb_slack_pair *first = (const mb_slack_pair *)(const void *)p, *last = (const mb_slack_pair *)(const void *)(p + slot) - 1;
    mb_slack_pair all = *first | *last;
    if (slot > 32) all |= first[1] | last[-1];
    return (all[0] | all[1]) == 0;
}

// Fills the slack of a block of so many bytes in a slot whose slack is zero. The user's bytes stay: of the word in
// which they end, `kept`.
MB_INLINE void mb_slack_fill_behind(uint64_t salt, char *p, size_t bytes, size_t slot, uint64_t kept) {
    size_t head = bytes & ~(size_t)7;
    uint64_t word = mb_slack_word(salt, p);
    mb_slack_store(p + head, kept | (word & mb_slack_mask(bytes)));
    if (head + 8 < slot) mb_slack_store(p + head + 8, word);
    if (head + 16 < slot) mb_slack_store(p + slot - 8, word);
}
MB_INLINE void mb_slack_fill(uint64_t salt, char *p, size_t bytes, size_t slot) {
    size_t head = bytes & ~(size_t)7;
    if (head != slot) mb_slack_fill_behind(salt, p, bytes, slot, mb_slack_load(p + head) & ~mb_slack_mask(bytes));
}
// All of the slot is zero, and the block is shorter.
MB_INLINE void mb_slack_fill_zeros(uint64_t salt, char *p, size_t bytes, size_t slot) { mb_slack_fill_behind(salt, p, bytes, slot, 0); }

MB_INLINE bool mb_slack_is_intact(uint64_t salt, const char *p, size_t bytes, size_t slot) {
    size_t head = bytes & ~(size_t)7;
    if (head == slot) return true;
    uint64_t word = mb_slack_word(salt, p);
    uint64_t wrong = (mb_slack_load(p + head) ^ word) & mb_slack_mask(bytes);
    if (head + 8 < slot) wrong |= mb_slack_load(p + head + 8) ^ word;
    if (head + 16 >= slot) return wrong == 0;
    wrong |= mb_slack_load(p + slot - 8) ^ word;
    return wrong == 0 && mb_slack_is_zero(p + head + 16, slot - 8 - (head + 16));
}

// Makes the words zero that mb_slack_fill has written.
MB_INLINE void mb_slack_clear(char *p, size_t bytes, size_t slot) {
    size_t head = bytes & ~(size_t)7;
    if (head == slot) return;
    mb_slack_store(p + head, mb_slack_load(p + head) & ~mb_slack_mask(bytes));
    if (head + 8 < slot) mb_slack_store(p + head + 8, 0);
    if (head + 16 < slot) mb_slack_store(p + slot - 8, 0);
}

// Makes all of the slot zero. Short ones as a whole, without a call.
MB_INLINE void mb_slack_wipe(char *p, size_t bytes, size_t slot) {
    const mb_slack_pair zero = {0, 0};
    if (MB_UNLIKELY(slot > MB_SLACK_WHOLE_MAX)) {
        memset(p, 0, bytes);
        return mb_slack_clear(p, bytes, slot);
    }
    mb_slack_pair *at = (mb_slack_pair *)(void *)p, *end = (mb_slack_pair *)(void *)(p + slot);
    if (slot <= 2 * sizeof zero) {
        at[0] = end[-1] = zero;
    } else if (slot <= 4 * sizeof zero) {
        at[0] = at[1] = end[-2] = end[-1] = zero;
    } else {
        for (; end - at > 4; at += 4) at[0] = at[1] = at[2] = at[3] = zero;
        end[-4] = end[-3] = end[-2] = end[-1] = zero;
    }
}

#endif
