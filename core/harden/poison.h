// Fills freed blocks with a pattern and looks for it before they are used again: finds writes after free, and lets
// reads after free see nonsense instead of old data.
//
// What: a base may write links into its free blocks or merge them, so a look at what it hands out would prove nothing.
// Therefore the layer keeps freed blocks (at most `budget_bytes`) and serves requests of the same size from them first;
// every block is looked at when it is used again or goes to the base. When the base has nothing left, all go.
// Who: as the base.
// Invariant: as core/harden/hold.h. A grown block moves, and its old place is poison.
#ifndef MB_CORE_HARDEN_POISON_H
#define MB_CORE_HARDEN_POISON_H

#include "core/harden/configs.h"
#include "core/harden/hold.h"

struct mb_poison {
    struct mb_hold hold;
};

// MB_BAD_CONFIG over a base without MB_TRAIT_FREES or with MB_TRAIT_ORDERED, or without a budget.
enum mb_error mb_poison_init(struct mb_poison *poison, const struct mb_poison_config *config, enum mb_policy policy,
                             struct mb_allocator *base);

#endif
