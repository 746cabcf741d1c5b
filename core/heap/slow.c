#include "core/heap/slow.h"

#include <errno.h>
#include <stdint.h>

#include "core/base/check.h"
#include "core/heap/background.h"
#include "core/heap/fast.h"
#include "core/heap/foreign.h"
#include "core/heap/heap.h"
#include "core/heap/init.h"
#include "core/heap/large.h"
#include "core/heap/own.h"
#include "core/heap/queue.h"
#include "core/heap/sweep.h"
#include "core/heap/thread.h"
#include "core/region/arena.h"

MB_COLD void *mb_no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

// --- where a new allocation list comes from, cheapest first -----------------------------------------------------------

static bool from_current(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab *slab = heap->current[class_index];
    if (slab == NULL) return false;
    return mb_own_use_local(heap, slab) || mb_own_use_remote(heap, slab);
}

// The exhausted slab leaves: the one with room to carve stays as `fresh`, a full one has no owner any more.
static bool let_current_go(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab *slab = heap->current[class_index];
    if (slab == NULL) return false;
    if (slab->carved < slab->capacity) {
        if (heap->fresh[class_index] != NULL && heap->fresh[class_index] != slab) return mb_own_use_carved(heap, slab);
        heap->fresh[class_index] = slab;
        MB_POKE(heap->current[class_index], NULL);
        return false;
    }
    if (heap->fresh[class_index] == slab) heap->fresh[class_index] = NULL;
    while (!mb_own_current_to_unowned(heap, slab)) {
        if (mb_own_use_remote(heap, slab)) return true;
    }
    return false;
}

static bool from_queue(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab_hint hint;
    while (mb_queue_pop(&heap->ready[class_index], &hint)) {
        struct mb_slab *slab = mb_own_queued_to_current(heap, hint);
        if (slab == NULL) continue;
        if (mb_own_use_local(heap, slab) || mb_own_use_remote(heap, slab) || mb_own_use_carved(heap, slab)) return true;
        mb_own_release(heap, slab);
    }
    return false;
}

static bool from_fresh(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab *slab = heap->fresh[class_index];
    if (slab == NULL) return false;
    return mb_own_use_local(heap, slab) || mb_own_use_remote(heap, slab) || mb_own_use_carved(heap, slab);
}

static bool from_adopted(struct mb_heap *heap, struct mb_slab *slab) {
    if (slab == NULL) return false;
    if (mb_own_use_local(heap, slab) || mb_own_use_remote(heap, slab) || mb_own_use_carved(heap, slab)) return true;
    mb_own_release(heap, slab);
    return false;
}

static bool from_pool(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab_hint hint;
    while (mb_pool_take(class_index, &hint)) {
        struct mb_slab *slab = mb_own_unowned_to_current(heap, hint);
        if (slab == NULL && mb_slab_if_owned(mb_unit_at(hint.unit), heap)) slab = mb_own_queued_to_current(heap, hint);
        if (from_adopted(heap, slab)) return true;
    }
    return false;
}

static bool from_sweep(struct mb_heap *heap, unsigned class_index) {
    struct mb_slab_hint hint;
    return mb_sweep_find(class_index, &hint) && from_adopted(heap, mb_own_unowned_to_current(heap, hint));
}

static bool from_arena(struct mb_heap *heap, unsigned class_index) {
    struct mb_span span;
    if (!mb_arena_take(mb_class_units(class_index), 1, &span)) return false;
    struct mb_slab *slab = mb_slab_setup(span.first, class_index, heap);
    heap->fresh[class_index] = slab;
    return mb_own_use_carved(heap, slab);
}

// Memory is short: what this heap and sleeping ones hold idle may help.
MB_COLD static bool from_last_resort(struct mb_heap *heap, unsigned class_index) {
    mb_own_release_all(heap);
    mb_background_claim_all();
    if (from_pool(heap, class_index) || from_arena(heap, class_index)) return true;
    mb_arena_shortage_enter();
    mb_arena_decommit_all();
    bool found = from_arena(heap, class_index);
    mb_arena_shortage_leave();
    return found;
}

static bool refill(struct mb_heap *heap, unsigned class_index) {
    return from_current(heap, class_index) || let_current_go(heap, class_index) || from_queue(heap, class_index) ||
           from_fresh(heap, class_index) || from_pool(heap, class_index) || from_sweep(heap, class_index) ||
           from_arena(heap, class_index) || from_last_resort(heap, class_index);
}

// --- popping with every check said aloud ----------------------------------------------------------------------------

static bool leads_into_slab(const struct mb_slab *slab, uintptr_t next, uintptr_t start) {
    return next - start < (uintptr_t)slab->units * MB_UNIT_BYTES && next % MB_GRANULE == 0;
}

// The head is a real block: take it, whether the list goes on or ends.
static void *pop(struct mb_heap *heap, unsigned class_index) {
    struct mb_free_block *block = (struct mb_free_block *)heap->head[class_index];
    struct mb_slab *slab = heap->current[class_index];
    uintptr_t start = mb_slab_start(mb_slab_unit(slab));
    uintptr_t next = mb_link_next(block);
    if (next == mb_list_end(start)) {
        next = (uintptr_t)&mb_sentinel;
    } else {
        MB_REQUIRE(leads_into_slab(slab, next, start), "corrupted free list link", block);
    }
    MB_POKE(heap->head[class_index], next);
    mb_tag_clear(block);
    // What has come back meanwhile is at hand for nothing: spares the next slow call.
    if (next == (uintptr_t)&mb_sentinel) mb_own_use_local(heap, slab);
    return block;
}

// Where there is no room for a slab of several units, there may be a unit for the block alone. It is aligned as all blocks of its
// class are: by the greatest power of two in their size.
MB_COLD static void *block_by_itself(struct mb_heap *heap, unsigned class_index) {
    size_t bytes = mb_class_bytes(class_index);
    return mb_class_units(class_index) == 1 ? NULL : mb_large_alloc_aligned(heap, bytes & (0 - bytes), bytes);
}

void *mb_heap_take_block(struct mb_heap *heap, unsigned class_index) {
    if ((++heap->slow_calls & 3) == 0) mb_background_tick();
    if (heap->head[class_index] != (uintptr_t)&mb_sentinel) return pop(heap, class_index);
    return refill(heap, class_index) ? pop(heap, class_index) : block_by_itself(heap, class_index);
}

MB_NOINLINE void *mb_malloc_slow(size_t bytes) {
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) return other->malloc(bytes);
    if (bytes > PTRDIFF_MAX) return mb_no_memory();
    struct mb_heap *heap = mb_thread_enter();
    if (heap == NULL) return mb_no_memory();
    void *p = bytes <= MB_MEDIUM_MAX ? mb_heap_take_block(heap, mb_class_of(bytes)) : mb_large_alloc(heap, bytes);
    mb_thread_leave(heap);
    return p != NULL ? p : mb_no_memory();
}

void *mb_malloc(size_t bytes) { return mb_malloc_fast(bytes); }
