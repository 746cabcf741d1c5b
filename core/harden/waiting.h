// The quarantine's queue: blocks that wait before they are used again, without locks, layers or a base.
//
// What: remembers blocks up to a budget of bytes and chooses at random which one leaves. It does not touch the blocks
// (core/harden/poison_fill.h does). Used by the layers (core/harden/hold.h) and by allocators with a quarantine of
// their own.
// Who: the owner thread, or whoever holds the lock of the layer that it belongs to.
// Invariant: that of its table. A refused addition has changed nothing.
// Idea: the random half of hardened_malloc's slab quarantine; the byte budget from AddressSanitizer.
#ifndef MB_CORE_HARDEN_WAITING_H
#define MB_CORE_HARDEN_WAITING_H

#include "core/base/rng.h"
#include "core/harden/block_table.h"

struct mb_waiting {
    struct mb_block_table blocks;
    struct mb_rng rng;
    size_t budget_bytes; // constant
};

// Owns nothing until the first addition. `by_size`: mb_waiting_take_size will be asked.
MB_INLINE void mb_waiting_init(struct mb_waiting *waiting, size_t budget_bytes, uint64_t seed, bool by_size) {
    mb_block_table_init(&waiting->blocks, by_size);
    waiting->rng.state = seed;
    waiting->budget_bytes = budget_bytes;
}

MB_INLINE bool mb_waiting_has(const struct mb_waiting *waiting, const void *p) {
    return mb_block_table_find(&waiting->blocks, (uintptr_t)p) != MB_BLOCK_NONE;
}

// MB_DOUBLE_FREE when it waits already; MB_FULL or MB_REFUSED when the table has no room.
MB_INLINE enum mb_error mb_waiting_add(struct mb_waiting *waiting, void *p, size_t bytes) {
    if (mb_waiting_has(waiting, p)) return MB_DOUBLE_FREE;
    enum mb_error error = mb_block_table_reserve(&waiting->blocks, 1);
    if (error == MB_OK) mb_block_table_add(&waiting->blocks, (uintptr_t)p, bytes, 0);
    return error;
}

// While more than `most_bytes` wait: takes one out at random, but not `spared` as long as there are others.
MB_INLINE bool mb_waiting_evict(struct mb_waiting *waiting, size_t most_bytes, const void *spared,
                                struct mb_known_block *out) {
    uint32_t count = waiting->blocks.count;
    if (count == 0 || waiting->blocks.bytes <= most_bytes) return false;
    uint32_t index = mb_rng_below(&waiting->rng, count);
    if (waiting->blocks.blocks[index].at == (uintptr_t)spared) index = (index + 1) % count;
    *out = mb_block_table_take(&waiting->blocks, index);
    return true;
}

// Takes out a block of exactly this size at a multiple of `align`, the newest first.
MB_INLINE bool mb_waiting_take_size(struct mb_waiting *waiting, size_t bytes, size_t align, struct mb_known_block *out) {
    uint32_t index = mb_block_table_find_size(&waiting->blocks, bytes, align);
    if (index == MB_BLOCK_NONE) return false;
    *out = mb_block_table_take(&waiting->blocks, index);
    return true;
}

#endif
