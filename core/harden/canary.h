// A secret word behind every block, looked at when the block is freed, changes its size, or somebody asks for all.
//
// What: finds overflows (core/harden/canary_word.h shows the layout), wrong sizes on free, frees of what is no live
// block; and lists all live blocks. The base is asked for 8 bytes more, from the blocks' own slack where it has some. A
// block whose canary is broken stays as it is and is not freed.
// Who: as the base.
// Invariant: every live block is in the ledger with the size it was asked with, its canary behind it.
#ifndef MB_CORE_HARDEN_CANARY_H
#define MB_CORE_HARDEN_CANARY_H

#include "core/harden/canary_word.h"
#include "core/harden/configs.h"
#include "core/harden/ledger.h"

struct mb_canary {
    struct mb_layer layer;
    struct mb_canary_key key; // constant, a secret of this layer
    struct mb_ledger ledger;
};

// Acts over every base. Adds MB_TRAIT_SIZES: usable_size is what was asked for.
enum mb_error mb_canary_init(struct mb_canary *canary, const struct mb_canary_config *config, enum mb_policy policy,
                             struct mb_allocator *base);

// Looks at every live block and returns how many canaries are broken; reports none.
size_t mb_canary_damaged(struct mb_canary *canary);

// Calls visit for every live block, in no order, under the layer's lock: it must not allocate or free here. Ends early
// when it returns false. Returns how many were visited.
size_t mb_canary_walk(struct mb_canary *canary, mb_block_visitor *visit, void *context);

#endif
