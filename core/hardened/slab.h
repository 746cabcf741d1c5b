// One slab of the hardened front: a unit cut into equal slots, of which free ones are handed out at random.
//
//   | slot 0 | slot 1 | ... opened slots ... | not touched yet ... |rest| guard page |
//
// What: a slot that holds no block is zero; one that does holds the block, and its canaries in what is left
// (core/hardened/slack.h). How long a block is and whether it is live stands apart, in metadata. Slots are opened a
// page at a time, when few of the opened ones are free. Free slots of two pages and more may be shut: the pages that no
// neighbour has a part of cannot be touched, and come back as zeros. Slots of the class for blocks of 0 bytes lie in a
// unit that cannot be touched at all.
// Who: whoever holds the lock of the slab's class.
// Invariant: live_count = number of live bits; a live slot has its used bit.
#ifndef MB_CORE_HARDENED_SLAB_H
#define MB_CORE_HARDENED_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "core/hardened/slack.h"
#include "core/hardened/unit_parts.h"
#include "core/layout/size_class.h"
#include "platform/os.h"

enum {
    MB_HARD_ZERO_CLASS = MB_CLASSES, // blocks of 0 bytes
    MB_HARD_CLASSES,
    MB_HARD_SHARDS = 4,         // of each class: number of class and shard = class times shards + shard
    MB_HARD_DRAWN = 8,          // slots that are drawn ahead
    MB_HARD_NOTE_LOST = 0xffff, // of a slot that was written to while it was free: never handed out again
};
static const uint32_t MB_HARD_NO_SLOT = UINT32_MAX;

// What is wrong with a block, or with a pointer that is not one.
enum mb_hard_fault {
    MB_HARD_FINE,
    MB_HARD_NEVER,     // nothing was ever handed out there
    MB_HARD_INTERIOR,  // not where a block starts
    MB_HARD_FREED,     // a block that is free
    MB_HARD_OVERFLOW,  // what lies behind the block was written
    MB_HARD_UNDERFLOW, // what lies before the block was written
    MB_HARD_WRITTEN,   // a free slot was written
};

MB_INLINE uint32_t mb_hard_slot_bytes(unsigned class_index) {
    return class_index == MB_HARD_ZERO_CLASS ? MB_GRANULE : mb_class_bytes(class_index);
}
uint32_t mb_hard_slots_of(unsigned class_index);
// Bytes of metadata that a slab of the class needs.
size_t mb_hard_record_bytes(unsigned class_index);

// Makes a slab of a taken unit whose pages are zero. `record`: its metadata.
struct mb_hard_slab *mb_hard_slab_set_up(size_t unit_index, uint32_t class_number, uint64_t salt, void *record);

MB_INLINE char *mb_hard_slot(const struct mb_hard_slab *slab, uint32_t slot) { return slab->start + (size_t)slot * slab->slot_bytes; }
MB_INLINE bool mb_hard_bit(const uint64_t *bits, uint32_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }
MB_INLINE bool mb_hard_is_full(const struct mb_hard_slab *slab) { return slab->live_count == slab->slots; }

// The slot of an offset in the unit, and whether it is where a slot starts.
MB_INLINE uint32_t mb_hard_slot_at(const struct mb_hard_slab *slab, uint32_t offset, bool *start) {
    uint32_t slot = (uint32_t)((uint64_t)offset * slab->multiplier >> 32);
    *start = slot * slab->slot_bytes == offset;
    return slot;
}

// Without the guard behind the slots. Where a page of the system is as long as a slab, there is no guard.
size_t mb_hard_slab_usable_bytes(unsigned class_index);
// Opens the page in which the first slot ends that is not opened.
void mb_hard_slab_open_more(struct mb_hard_slab *slab);
// Draws slots that were not freed within the last `delay` of `count` allocations: at random among the ready ones of 64
// neighbours, which are drawn at random, too; at most MB_HARD_DRAWN. They are not ready any more, and their memory is
// on its way to the cache. How many; 0: there are none, or they were looked for a moment ago.
uint32_t mb_hard_slab_draw(struct mb_hard_slab *slab, struct mb_rng *rng, uint32_t count, uint32_t delay, uint16_t *drawn);
// They are ready again.
void mb_hard_slab_undraw(struct mb_hard_slab *slab, const uint16_t *drawn, uint32_t count);

// What is wrong with the block at p, which lies in what would be that slot (slot.h).
enum mb_hard_fault mb_hard_slab_examine_slow(struct mb_hard_slab *slab, uint32_t slot, const char *p);

// A free slot that was written to; MB_HARD_NO_SLOT: none.
uint32_t mb_hard_slab_find_dirty(struct mb_hard_slab *slab);

// --- slots of two pages and more -------------------------------------------------------------------------------------

enum { MB_HARD_BIG_MIN = 8192 };

MB_INLINE bool mb_hard_is_big(size_t slot_bytes) { return slot_bytes >= MB_HARD_BIG_MIN && slot_bytes >= 2 * mb_os_page_size(); }

MB_INLINE bool mb_hard_is_shut(const struct mb_hard_slab *slab, uint32_t slot) {
    return slab->slot_bytes >= MB_HARD_BIG_MIN && (slab->shut >> slot & 1) != 0;
}

// The pages of a free slot go back to the system, and cannot be touched from now on, where the system knows a way that
// costs no mapping. The slot stays zero.
void mb_hard_slot_shut(struct mb_hard_slab *slab, uint32_t slot);
// All of the slot can be touched again. False: the system refuses.
bool mb_hard_slot_open(struct mb_hard_slab *slab, uint32_t slot);

#endif
