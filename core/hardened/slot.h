// One slot of a slab, and what every malloc and free does to it.
//
// Who: whoever holds the lock of the slab's class.
#ifndef MB_CORE_HARDENED_SLOT_H
#define MB_CORE_HARDENED_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/hardened/slab.h"
#include "core/hardened/slack.h"
#include "platform/bits.h"
#include "platform/os.h"

MB_INLINE bool mb_hard_is_touchable(const struct mb_hard_slab *slab) { return MB_LIKELY(slab->class_index != MB_HARD_ZERO_CLASS); }

// Whether a free slot is unchanged. The pages that are shut cannot have been written to, but the slot's ends may lie on
// pages shared with a neighbour.
bool mb_hard_slot_is_clean_shut(struct mb_hard_slab *slab, uint32_t slot);
MB_INLINE bool mb_hard_slot_is_clean(struct mb_hard_slab *slab, uint32_t slot, const char *p) {
    if (MB_UNLIKELY(mb_hard_is_shut(slab, slot))) return mb_hard_slot_is_clean_shut(slab, slot);
    return !mb_hard_is_touchable(slab) || mb_slack_is_zero(p, slab->slot_bytes);
}

// The slot at p, which was drawn, is clean and not shut, holds a block of so many bytes from now on.
MB_INLINE void mb_hard_slot_take(struct mb_hard_slab *slab, uint32_t slot, char *p, size_t bytes) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    uint32_t word = slot / 64;
    if (MB_LIKELY(slab->plain) || mb_hard_is_touchable(slab)) mb_slack_fill_zeros(slab->salt, p, bytes, slab->slot_bytes);
    slab->notes[slot] = (uint16_t)bytes;
    slab->used[word] |= bit;
    slab->live[word] |= bit;
    slab->live_count++;
}

// It holds none any more, freed at `count`.
MB_INLINE void mb_hard_slot_give(struct mb_hard_slab *slab, uint32_t slot, char *p, uint32_t count) {
    if (MB_LIKELY(slab->plain) || mb_hard_is_touchable(slab)) mb_slack_wipe(p, slab->notes[slot], slab->slot_bytes);
    slab->live[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    slab->notes[slot] = (uint16_t)count;
    slab->live_count--;
}

// The block's length changes in place.
MB_INLINE void mb_hard_slot_resize(struct mb_hard_slab *slab, uint32_t slot, size_t bytes) {
    char *p = mb_hard_slot(slab, slot);
    size_t old = slab->notes[slot];
    if (bytes == old) return;
    mb_slack_clear(p, old, slab->slot_bytes);
    if (bytes < old) memset(p + bytes, 0, old - bytes);
    slab->notes[slot] = (uint16_t)bytes;
    mb_slack_fill(slab->salt, p, bytes, slab->slot_bytes);
}

// --- looking ---------------------------------------------------------------------------------------------------------

// Whether the word before p lies on a page that is shut.
MB_INLINE bool mb_hard_is_shut_before(const struct mb_hard_slab *slab, uint32_t slot, const char *p) {
    return MB_UNLIKELY(mb_hard_is_shut(slab, slot - 1)) && mb_is_aligned((uintptr_t)p, mb_os_page_size());
}

// The word before p is the last one of the previous slot: slack of a live block, or zero. If it is inaccessible, it
// cannot have been written to.
MB_INLINE bool mb_hard_is_intact_before(const struct mb_hard_slab *slab, uint32_t slot, const char *p) {
    if (slot == 0 || (MB_UNLIKELY(!slab->plain) && mb_hard_is_shut_before(slab, slot, p))) return true;
    uint64_t found = mb_slack_load(p - 8);
    if (!mb_hard_bit(slab->live, slot - 1)) return found == 0;
    return found == mb_slack_word(slab->salt, p - slab->slot_bytes) || slab->notes[slot - 1] == MB_HARD_NOTE_LOST;
}

// What is wrong with the block at p, in the slab's unit. The slack before it is looked at, too.
MB_INLINE enum mb_hard_fault mb_hard_slab_examine(struct mb_hard_slab *slab, const char *p, uint32_t *out) {
    bool start;
    uint32_t slot = mb_hard_slot_at(slab, mb_unit_offset(p), &start);
    *out = slot;
    bool live = start && slot < slab->opened && mb_hard_bit(slab->live, slot);
    if (MB_UNLIKELY(!live || (!slab->plain && !mb_hard_is_touchable(slab)))) return mb_hard_slab_examine_slow(slab, slot, p);
    bool intact = mb_slack_is_intact(slab->salt, p, slab->notes[slot], slab->slot_bytes) && mb_hard_is_intact_before(slab, slot, p);
    return MB_LIKELY(intact) ? MB_HARD_FINE : mb_hard_slab_examine_slow(slab, slot, p);
}

#endif
