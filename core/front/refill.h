// The refill ladder: where the free blocks come from when a class's mask is empty, cheapest first.
//
// What: tries the current slab, the queue of slabs worth using again, the slab with room to carve, hints to unowned
// slabs, a sweep over descriptors, a new unit, and at last what this heap and sleeping ones hold idle.
// Who: the owner thread of the heap.
#ifndef MB_CORE_FRONT_REFILL_H
#define MB_CORE_FRONT_REFILL_H

#include <stdbool.h>

#include "core/heap/self.h"

// Fills the class's mask with free blocks; false: out of memory. `searched`: the current slab has no free block of its
// owner's.
bool mb_refill_class(struct mb_heap *heap, unsigned class_index, bool searched);

#endif
