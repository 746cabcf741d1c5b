// A carved block that waits for its first use and one that has been freed have the same bit. What tells them apart,
// without a word that malloc or free would have to write: carving waits until all blocks are in use, so only the blocks
// of a slab's last carving can be unused; of these a heap that allocates from the slab knows which it has taken since;
// and pages that came fresh from the system are zero until their first use.
#include "core/front/fault.h"

#include <stdbool.h>

#include "core/heap/heaps.h"
#include "core/layout/slab.h"
#include "core/small/commons.h"
#include "core/small/mask.h"
#include "platform/os.h"

static bool allocates_from(const struct mb_heap *heap, const struct mb_unit *unit) {
    return heap->slabs.current[unit->slab.class_index] == &unit->slab;
}

// The heap that allocates from the unit; NULL: none.
static const struct mb_heap *who_allocates_from(const struct mb_unit *unit) {
    for (unsigned i = 0; i < MB_COMMONS; i++) {
        if (allocates_from(mb_commons_at(i), unit)) return mb_commons_at(i);
    }
    const struct mb_heap *heap = mb_heaps_first();
    while (heap != NULL && !allocates_from(heap, unit)) heap = mb_heaps_next(heap);
    return heap;
}

static bool is_written(const struct mb_unit *unit, uint32_t index) {
    const unsigned char *p = mb_slab_block(unit, index);
    uint32_t bytes = MB_PEEK(unit->slab.block_bytes);
    if (unit->slab.warm || !mb_os_readable(p, bytes)) return false;
    for (uint32_t i = 0; i < bytes; i++) {
        if (p[i] != 0) return true;
    }
    return false;
}

// Whether the block was in the mask and is not any more. What lies behind the part of a first word that is handed out
// first may never have been in it.
static bool was_taken_from_mask(const struct mb_front *front, unsigned class_index, uint32_t index) {
    bool whole = index >= 64 || (mb_mask_first.window[class_index] >> index & 1) != 0;
    return whole && (front->mask[class_index] >> (index % 64) & 1) == 0;
}

enum mb_fault mb_fault_of_free_block(const struct mb_unit *unit, uint32_t index) {
    struct mb_slab_bits bits = mb_slab_bits(unit);
    bool remote = (mb_remote_bits(&bits, index / 64) >> (index % 64) & 1) != 0;
    if (remote || mb_slab_surely_used(unit, MB_PEEK(unit->slab.carved), index)) return MB_FAULT_FREED;
    unsigned class_index = unit->slab.class_index;
    const struct mb_heap *heap = who_allocates_from(unit);
    if (heap != NULL) {
        bool this_word = heap->front.word[class_index] == &bits.free[index / 64];
        if (this_word && was_taken_from_mask(&heap->front, class_index, index)) return MB_FAULT_FREED;
        uint64_t served = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
        bool first_mask = served == unit->shared.served; // none has been filled since
        if (first_mask && unit->shared.reused == 0) return MB_FAULT_UNUSED;
    }
    return is_written(unit, index) ? MB_FAULT_FREED : MB_FAULT_UNCLEAR;
}
