// Hints to unowned slabs with free blocks: a fixed number of atomic slots per class, each a pair (unit, generation).
//
// What: a hint, not ownership. Who takes one still has to adopt the slab by its shared word; a hint whose generation has
// moved on just drops. When all slots are taken the new hint replaces an old one; what is lost so is found by the sweep.
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

void mb_pool_put(unsigned class_index, struct mb_slab_hint hint);
bool mb_pool_take(unsigned class_index, struct mb_slab_hint *out);

// Whether any hint was ever given: before that a sweep has nothing to find.
bool mb_pool_ever_used(void);

// Slabs with free blocks that no hint names: of a class, or of any (in a forked child). While there may be some, a sweep has rounds to make over all
// slabs; 0: none. A round has been made.
void mb_pool_note_lost(unsigned class_index);
void mb_pool_note_all_lost(void);
unsigned mb_pool_lost(unsigned class_index);
void mb_pool_round_made(unsigned class_index);

#endif
