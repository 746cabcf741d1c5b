// Blocks that were given up and are kept back for a while, filled with poison: what quarantine and poison on free share.
//
//   user --> hold --> fill with 0xDE --> [ held, at most `budget_bytes` ] --> look --> base
//                                           random eviction                    | damaged: reported, and never used again
//
// What: finds writes after free when a block leaves, double frees when one comes. Every block that leaves is looked at.
// Who: as the layer that embeds it.
// Invariant: every held block is live for the base, and full of poison unless somebody wrote into it after it was given up.
#ifndef MB_CORE_HARDEN_HOLD_H
#define MB_CORE_HARDEN_HOLD_H

#include "core/harden/layer.h"
#include "core/harden/waiting.h"

struct mb_hold {
    struct mb_layer layer; // first: a hold is a layer
    struct mb_waiting held;
};

// MB_BAD_CONFIG over a base without MB_TRAIT_FREES (nothing is ever used again) or with MB_TRAIT_ORDERED (nothing can wait).
enum mb_error mb_hold_init(struct mb_hold *hold, const struct mb_allocator_table *changed, struct mb_allocator *base,
                           enum mb_policy policy, size_t budget_bytes, bool by_size);

// Reports a pointer that is held already, or that the base can tell is no live block of so many bytes. Before a block is read.
enum mb_error mb_hold_judge(struct mb_hold *hold, const void *p, size_t bytes);

// Takes the block over and evicts others until the budget is met. A block of more than the budget goes straight to the base.
enum mb_error mb_hold_add(struct mb_hold *hold, void *p, size_t bytes);

// A held, intact block of exactly this size at a multiple of `align`, or NULL. Its bytes are poison.
void *mb_hold_reuse(struct mb_hold *hold, size_t bytes, size_t align);

// Gives all held blocks to the base. False when there were none.
bool mb_hold_flush(struct mb_hold *hold);

// Looks at all held blocks and returns how many are damaged; they are reported, as by policy, when they leave.
// No other thread may use the hold meanwhile.
size_t mb_hold_damaged(const struct mb_hold *hold);

// The layer's own of these operations, ready for its table.
size_t mb_hold_usable_size(const struct mb_allocator *api, const void *p);
enum mb_error mb_hold_reset(struct mb_allocator *api);
enum mb_error mb_hold_drop(struct mb_allocator *api);

#endif
