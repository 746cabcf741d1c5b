#include "core/heap/suspect.h"

#include "core/base/check.h"

static const char DOUBLE_FREE[] = "double free";

static bool on_allocation_list(const struct mb_heap *heap, const struct mb_slab *slab, uintptr_t p) {
    unsigned class_index = slab->class_index;
    return MB_PEEK(heap->current[class_index]) == slab &&
           mb_slab_chain_holds(mb_slab_unit(slab), MB_PEEK(heap->head[class_index]), p);
}

static bool on_slab_lists(const struct mb_unit *first, uint64_t word, uintptr_t p) {
    return mb_slab_chain_holds(first, mb_link_decode(MB_PEEK(first->slab.local)), p) ||
           mb_slab_chain_holds(first, mb_remote_head_address(word, mb_slab_start(first)), p);
}

static bool is_free(const struct mb_heap *heap, const struct mb_unit *first, uintptr_t p) {
    return on_slab_lists(first, mb_remote_load(first), p) || (heap != NULL && on_allocation_list(heap, &first->slab, p));
}

MB_COLD void mb_suspect_verify(struct mb_heap *heap, struct mb_slab *slab, const void *p) {
    MB_REQUIRE(!is_free(heap, mb_slab_unit(slab), (uintptr_t)p), DOUBLE_FREE, p);
}

MB_COLD void mb_suspect_set_aside(struct mb_unit *first, void *p) {
    uintptr_t none = 0;
    atomic_compare_exchange_strong_explicit(&first->shared.suspect, &none, (uintptr_t)p, memory_order_acq_rel,
                                            memory_order_relaxed);
}

// Without its tag the block has been handed out again since it was set aside: it had been on a list then.
static void require_innocent(const struct mb_heap *heap, const struct mb_unit *first, uintptr_t p) {
    bool guilty = is_free(heap, first, p) || !mb_tag_present((const struct mb_free_block *)p);
    MB_REQUIRE(!guilty, DOUBLE_FREE, (void *)p);
}

MB_COLD static void settle_slow(struct mb_heap *heap, struct mb_slab *slab) {
    struct mb_unit *unit = mb_slab_unit(slab);
    uintptr_t p = atomic_exchange_explicit(&unit->shared.suspect, 0, memory_order_acq_rel);
    if (p == 0) return;
    require_innocent(heap, unit, p);
    mb_slab_push(slab, (struct mb_free_block *)p);
}

void mb_suspect_settle(struct mb_heap *heap, struct mb_slab *slab) {
    struct mb_unit *unit = mb_slab_unit(slab);
    if (MB_LIKELY(atomic_load_explicit(&unit->shared.suspect, memory_order_relaxed) == 0)) return;
    settle_slow(heap, slab);
}

// The owner's lists are only read; an owner that works on them meanwhile can hide the block from us but put no other there.
void mb_suspect_inspect(const struct mb_unit *first) {
    uintptr_t p = atomic_load_explicit(&first->shared.suspect, memory_order_acquire);
    if (MB_LIKELY(p == 0)) return;
    struct mb_heap *owner = MB_PEEK(first->slab.owner);
    bool known = owner != NULL && owner != mb_orphan_owner();
    require_innocent(known ? owner : NULL, first, p);
}
