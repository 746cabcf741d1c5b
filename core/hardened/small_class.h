// A size class of one shard, for the files of small blocks alone.
#ifndef MB_CORE_HARDENED_SMALL_CLASS_H
#define MB_CORE_HARDENED_SMALL_CLASS_H

#include <stdint.h>

#include "core/base/lock.h"
#include "core/base/rng.h"
#include "core/hardened/small.h"
#include "core/hardened/wrong.h"
#include "platform/atomic.h"
#include "platform/compiler.h"
#include "platform/thread.h"

// What a thread is doing to the slot in its hands: lowest bits of in_hand, since slots are aligned to 16.
enum mb_hard_deed { MB_HARD_TAKES = 1, MB_HARD_GIVES = 2, MB_HARD_DEEDS = 15 };

struct mb_hard_class_shared {
    struct mb_lock_shared lock; // guards the rest, which only who holds it writes
    uintptr_t in_hand;          // slot and deed; 0: none. Read by a forked child
    struct mb_rng rng;
    uint64_t count;                // blocks handed out so far
    struct mb_hard_slab *current;  // the slab that blocks come from; NULL: none
    uint32_t drawn_count;          // of `drawn`
    uint32_t delay;                // constant
    uint32_t first, last;          // list of the others that have free slots: unit number + 1; the one that waits longest first
    uint32_t slabs, empties;       // all / listed ones without a live block
    uint16_t drawn[MB_HARD_DRAWN]; // slots of the current slab: the last one is handed out next
    size_t held_bytes;             // of free slots of two pages and more, as far as they may be resident: an estimate
} MB_PAIR_ALIGNED;

extern MB_HIDDEN struct mb_hard_class_shared *mb_hard_classes; // MB_HARD_SHARDS times MB_HARD_CLASSES of them, in metadata

enum { MB_HARD_CLASS_NUMBERS = MB_HARD_SHARDS * MB_HARD_CLASSES };
MB_INLINE uint32_t mb_hard_class_number(unsigned shard, unsigned class_index) { return class_index * MB_HARD_SHARDS + shard; }

// That of a slab; of what was a slab until a moment ago, some class.
MB_INLINE struct mb_hard_class_shared *mb_hard_class_of(const struct mb_hard_slab *slab) {
    return &mb_hard_classes[mb_min(MB_PEEK(slab->class_number), MB_HARD_CLASS_NUMBERS - 1)];
}

// The only thread needs none. Nor does who reports a fault: a handler of SIGABRT may allocate.
MB_INLINE bool mb_hard_class_enter(struct mb_hard_class_shared *class) {
    if (mb_thread_is_only() || mb_hard_is_ending()) return false;
    mb_lock(&class->lock);
    return true;
}

MB_INLINE void mb_hard_class_leave(struct mb_hard_class_shared *class, bool locked) {
    if (locked) mb_unlock(&class->lock);
}

// What a forked child finishes if its other threads stopped in between.
MB_INLINE void mb_hard_class_take_in_hand(struct mb_hard_class_shared *class, const char *slot, enum mb_hard_deed deed) {
    __atomic_store_n(&class->in_hand, (uintptr_t)slot | (uintptr_t)deed, __ATOMIC_RELAXED);
    mb_release_fence(); // before what is done to the slot
}
MB_INLINE void mb_hard_class_let_go(struct mb_hard_class_shared *class) { __atomic_store_n(&class->in_hand, 0, __ATOMIC_RELEASE); }

MB_INLINE uint32_t mb_hard_slab_number(struct mb_hard_slab *slab) { return (uint32_t)mb_unit_index(mb_hard_slab_unit(slab)) + 1; }
MB_INLINE struct mb_hard_slab *mb_hard_slab_at(uint32_t number) { return number == 0 ? NULL : mb_hard_slab_of(mb_unit_at(number - 1)); }

// Puts the slab at the end of the list / takes it off.
void mb_hard_class_append(struct mb_hard_class_shared *class, struct mb_hard_slab *slab);
void mb_hard_class_unlink(struct mb_hard_class_shared *class, struct mb_hard_slab *slab);

// The slab has no live block, and is on the list: it waits as a whole, and is none any more.
void mb_hard_class_retire(struct mb_hard_class_shared *class, struct mb_hard_slab *slab);

// Draws slots of what is the current slab then, where none are drawn. False: no memory.
bool mb_hard_class_draw_slow(struct mb_hard_class_shared *class);

#endif
