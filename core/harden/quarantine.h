// Keeps freed blocks from being used again soon: a stale pointer then hits poison and not somebody else's data.
//
// What: blocks wait, filled with poison, until chance picks them (so that nobody can predict when one is used again),
// at most `budget_bytes` in all; what was written into them meanwhile is found when they leave. A block beyond the
// budget does not wait. When the base has nothing left, all waiting blocks go and the request is made again.
// Who: as the base.
// Invariant: as core/harden/hold.h. A grown block moves, and its old place waits like any other.
#ifndef MB_CORE_HARDEN_QUARANTINE_H
#define MB_CORE_HARDEN_QUARANTINE_H

#include "core/harden/configs.h"
#include "core/harden/hold.h"

struct mb_quarantine {
    struct mb_hold hold;
};

// MB_BAD_CONFIG over a base without MB_TRAIT_FREES or with MB_TRAIT_ORDERED, or without a budget.
enum mb_error mb_quarantine_init(struct mb_quarantine *quarantine, const struct mb_quarantine_config *config,
                                 enum mb_policy policy, struct mb_allocator *base);

#endif
