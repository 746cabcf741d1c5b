#include "core/heap/suspect.h"

#include "core/base/check.h"

static const char DOUBLE_FREE[] = "double free";

static bool on_allocation_list(const struct mb_heap *heap, const struct mb_slab *slab, uintptr_t p) {
    unsigned class_index = slab->class_index;
    return heap->current[class_index] == slab && mb_slab_chain_holds(mb_slab_unit(slab), heap->head[class_index], p);
}

static bool on_slab_lists(const struct mb_unit *first, uint64_t word, uintptr_t p) {
    return mb_slab_chain_holds(first, mb_link_decode(first->slab.local), p) ||
           mb_slab_chain_holds(first, mb_remote_head_address(word, mb_slab_start(first)), p);
}

MB_COLD void mb_suspect_verify(struct mb_heap *heap, struct mb_slab *slab, const void *p) {
    struct mb_unit *unit = mb_slab_unit(slab);
    bool listed = on_slab_lists(unit, mb_remote_load(unit), (uintptr_t)p) || on_allocation_list(heap, slab, (uintptr_t)p);
    MB_REQUIRE(!listed, DOUBLE_FREE, p);
}

MB_COLD void mb_suspect_set_aside(struct mb_unit *first, void *p) {
    uintptr_t none = 0;
    atomic_compare_exchange_strong_explicit(&first->shared.suspect, &none, (uintptr_t)p, memory_order_acq_rel,
                                            memory_order_relaxed);
}

void mb_suspect_settle(struct mb_heap *heap, struct mb_slab *slab) {
    struct mb_unit *unit = mb_slab_unit(slab);
    if (MB_LIKELY(atomic_load_explicit(&unit->shared.suspect, memory_order_relaxed) == 0)) return;
    uintptr_t p = atomic_exchange_explicit(&unit->shared.suspect, 0, memory_order_acq_rel);
    if (p == 0) return;
    mb_suspect_verify(heap, slab, (void *)p);
    mb_slab_push(slab, (struct mb_free_block *)p);
}

void mb_suspect_settle_unowned(struct mb_unit *first, uint64_t word) {
    uintptr_t p = atomic_load_explicit(&first->shared.suspect, memory_order_acquire);
    if (MB_LIKELY(p == 0)) return;
    MB_REQUIRE(!on_slab_lists(first, word, p), DOUBLE_FREE, (void *)p);
}
