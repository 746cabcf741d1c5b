// A size class of one shard, for the files of small blocks alone.
#ifndef MB_CORE_HARDENED_SMALL_CLASS_H
#define MB_CORE_HARDENED_SMALL_CLASS_H

#include <stdint.h>

#include "core/base/lock.h"
#include "core/base/rng.h"
#include "core/hardened/small.h"
#include "platform/compiler.h"

// What a thread is doing to the slot in its hands: lowest bits of in_hand, since slots are aligned to 16.
enum mb_hard_deed { MB_HARD_TAKES = 1, MB_HARD_GIVES = 2, MB_HARD_DEEDS = 15 };

struct mb_hard_class_shared {
    struct mb_lock_shared lock; // guards the rest, which only who holds it writes
    uintptr_t in_hand;          // slot and deed; 0: none. Read by a forked child
    struct mb_rng rng;
    uint64_t count;          // blocks handed out so far
    uint32_t delay;          // constant
    uint32_t current;        // unit number + 1 of the slab that blocks come from; 0: none
    uint32_t first, last;    // list of the others that have free slots; the one that waits longest first
    uint32_t slabs, empties; // all / listed ones without a live block
    size_t held_bytes;       // of free slots of two pages and more, as far as they may be resident: an estimate
} MB_PAIR_ALIGNED;

extern MB_HIDDEN struct mb_hard_class_shared *mb_hard_classes; // MB_HARD_SHARDS times MB_HARD_CLASSES of them, in metadata

MB_INLINE struct mb_hard_class_shared *mb_hard_class_at(unsigned shard, size_t class_index) {
    return &mb_hard_classes[shard * MB_HARD_CLASSES + class_index];
}

// Puts the slab at the end of the list.
void mb_hard_class_append(struct mb_hard_class_shared *class, struct mb_hard_slab *slab);

#endif
