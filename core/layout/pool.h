// Where a thread finds slabs without an owner that have free blocks: a few atomic slots per size class, each a hint to
// a slab (its unit and the generation that the slab had).
//
// What: a hint gives no ownership. The thread that takes one still adopts the slab by a compare-and-swap on the slab's
// state word, and drops the hint if the generation has changed. Where all slots are full a new hint replaces an old
// one; the slab of a lost hint is found later by a sweep over all slabs (core/front/refill.c), and the pool counts how
// many sweeps are due.
// Who: any thread; lock-free.
#ifndef MB_CORE_LAYOUT_POOL_H
#define MB_CORE_LAYOUT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mb_slab_hint {
    uint32_t unit;
    uint32_t generation;
};

// Adds a hint, unless it is there already; a full pool loses an old one.
void mb_pool_put(unsigned class_index, struct mb_slab_hint hint);
// Removes a hint of the class. False: there is none.
bool mb_pool_take(unsigned class_index, struct mb_slab_hint *out);

// Whether a hint was ever added: before that a sweep has nothing to find.
bool mb_pool_ever_used(void);

// Notes that a hint of the class, or hints of any class (in a forked child), were lost. mb_pool_lost: how many rounds
// over all slabs the sweep for the class has still to make, 0: none; mb_pool_round_made takes one off.
void mb_pool_note_lost(unsigned class_index);
void mb_pool_note_all_lost(void);
unsigned mb_pool_lost(unsigned class_index);
void mb_pool_round_made(unsigned class_index);

#endif
