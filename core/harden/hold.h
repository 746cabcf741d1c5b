// Blocks that were given up and are kept back for a while, filled with poison: what quarantine and poison on free
// share.
//
//   user --> hold --> fill with 0xDE --> [ held, at most `budget_bytes` ] --> look --> base
//                                           random eviction                    | damaged: reported, and never used again
//
// What: finds writes after free when a block leaves, double frees when one comes. Every block that leaves is looked at.
// Who: as the layer that embeds it.
// Invariant: every held block is live for the base, and full of poison unless somebody wrote into it after it was given
// up.
#ifndef MB_CORE_HARDEN_HOLD_H
#define MB_CORE_HARDEN_HOLD_H

#include "core/harden/layer.h"
#include "core/harden/waiting.h"

struct mb_hold {
    struct mb_layer layer; // first: a hold is a layer
    struct mb_waiting held;
};

// Which requests held blocks may serve: MB_HOLD_REUSES those of exactly their size (poison on free), else none
// (quarantine).
enum mb_hold_use { MB_HOLD_KEEPS, MB_HOLD_REUSES };

// Makes the layer. MB_BAD_CONFIG without a budget, and over a base without MB_TRAIT_FREES (nothing is ever used again)
// or with MB_TRAIT_ORDERED (nothing can wait).
enum mb_error mb_hold_init(struct mb_hold *hold, struct mb_allocator *base, enum mb_policy policy, size_t budget_bytes,
                           enum mb_hold_use use);

// Gives all held blocks to the base. False when there were none.
bool mb_hold_flush(struct mb_hold *hold);

// Looks at all held blocks and returns how many are damaged; they are reported, as by policy, when they leave.
// Any thread, over a shared base; the others wait meanwhile.
size_t mb_hold_damaged(struct mb_hold *hold);

#endif
