#include "core/front/refill.h"

#include "core/large/large_keep.h"
#include "core/process/background.h"
#include "core/region/arena.h"
#include "core/region/huge.h"
#include "core/small/commons.h"
#include "core/small/own.h"
#include "core/small/queue.h"
#include "core/small/share.h"
#include "core/small/sweep.h"

static bool from_current(struct mb_heap *heap, unsigned class_index, bool searched) {
    struct mb_slab *slab = heap->slabs.current[class_index];
    if (slab == NULL) return false;
    return (!searched && mb_own_use_local(heap, slab)) || mb_own_use_remote_batch(heap, slab);
}

// The exhausted slab leaves: the one with room to carve stays as `fresh`, a full one has no owner any more.
static bool let_current_go(struct mb_heap *heap, unsigned class_index) {
    struct mb_class_slabs *slabs = &heap->slabs;
    struct mb_slab *slab = slabs->current[class_index];
    if (slab == NULL) return false;
    if (slab->carved < slab->capacity) {
        if (slabs->fresh[class_index] != NULL && slabs->fresh[class_index] != slab) return mb_own_use_carved(heap, slab);
        slabs->fresh[class_index] = slab;
        slabs->current[class_index] = NULL;
        return false;
    }
    mb_own_let_go(heap, slab);
    return false;
}

static bool use_any(struct mb_heap *heap, struct mb_slab *slab) {
    return mb_own_use_local(heap, slab) || mb_own_use_remote(heap, slab) || mb_own_use_carved(heap, slab);
}

static bool use_or_release(struct mb_heap *heap, struct mb_slab *slab) {
    if (slab == NULL) return false;
    if (use_any(heap, slab)) return true;
    mb_own_release(heap, slab);
    return false;
}

static bool from_queue(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab_hint hint;
    if (heap->queues == NULL) return false;
    struct mb_queue *queue = &heap->queues->of_class[class_index].ready;
    for (uint32_t tries = queue->count; tries > 0 && mb_queue_pop(queue, &hint); tries--) {
        if (mb_own_is_busy(hint)) {
            mb_queue_push(queue, hint); // where it was taken from there is room
        } else if (use_or_release(heap, mb_own_queued_to_current(heap, hint))) {
            return true;
        }
    }
    return false;
}

static bool from_fresh(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab *slab = heap->slabs.fresh[class_index];
    return slab != NULL && use_any(heap, slab);
}

static bool from_pool(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab_hint hint;
    while (mb_pool_take(class_index, &hint)) {
        struct mb_slab *slab = mb_own_unowned_to_current(heap, hint);
        if (slab == NULL && mb_slab_if_owned(mb_unit_at(hint.unit), heap->token)) slab = mb_own_queued_to_current(heap, hint);
        if (use_or_release(heap, slab)) return true;
    }
    return false;
}

static bool from_sweep(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab_hint hint;
    return mb_sweep_find(class_index, &hint) && use_or_release(heap, mb_own_unowned_to_current(heap, hint));
}

static bool from_any_slab(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab_hint hint;
    return mb_sweep_find_any(class_index, &hint) && use_or_release(heap, mb_own_unowned_to_current(heap, hint));
}

static bool from_arena(struct mb_heap *heap, unsigned class_index) {
    struct mb_span span;
    if (mb_arena_warm_free_units() == 0) mb_large_flush_to_grow(heap, 1);
    if (!mb_arena_take(1, 1, &span)) return false;
    if (span.zero) mb_huge_taken(&span, MB_UNIT_BYTES, MB_HUGE_SLAB);
    struct mb_slab *slab = mb_slab_setup(span.first, class_index, heap->token);
    if (slab == NULL) {
        mb_arena_give(span.first, 1);
        return false;
    }
    slab->warm = !span.zero;
    if (slab->warm) mb_share_unit_taken(slab, slab->block_bytes);
    if (span.zero) mb_huge_slab_opened();
    heap->slabs.fresh[class_index] = slab;
    return mb_own_use_carved(heap, slab);
}

// Memory is short: what this heap and sleeping ones hold idle may help.
MB_COLD static bool from_last_resort(struct mb_heap *heap, unsigned class_index) {
    mb_own_release_all(heap);
    mb_commons_release();
    mb_background_claim_all();
    mb_large_flush();
    if (from_pool(heap, class_index) || from_arena(heap, class_index) || from_any_slab(heap, class_index)) return true;
    mb_arena_shortage_enter();
    mb_arena_decommit_all();
    bool found = from_arena(heap, class_index);
    mb_arena_shortage_leave();
    return found;
}

bool mb_refill_class(struct mb_heap *heap, unsigned class_index, bool searched) {
    return from_current(heap, class_index, searched) || let_current_go(heap, class_index) || from_queue(heap, class_index) ||
           from_fresh(heap, class_index) || from_pool(heap, class_index) || from_sweep(heap, class_index) ||
           from_arena(heap, class_index) || from_last_resort(heap, class_index);
}
