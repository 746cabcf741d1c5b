// Finding what no hint leads to: slabs without owner that have free blocks, slabs left behind by absent threads of a
// forked parent, slabs whose last block came back while their owner slept. Each new span pays for a look at a few
// descriptors.
#ifndef MB_CORE_SMALL_SWEEP_H
#define MB_CORE_SMALL_SWEEP_H

#include <stdbool.h>

#include "core/layout/pool.h"

// Looks at the next MB_SWEEP_UNITS descriptors; true with a hint to an unowned slab of the class, an eighth of it free.
// Claims empty slabs on its way. Any thread.
bool mb_sweep_find(unsigned class_index, struct mb_slab_hint *out);

// The same of all descriptors, and of a slab with any free block.
bool mb_sweep_find_any(unsigned class_index, struct mb_slab_hint *out);

#endif
