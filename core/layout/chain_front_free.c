#include "core/layout/chain_front.h"

static bool is_free(const struct mb_chain_front *front, const struct mb_chain_unit *first, const void *p) {
    uint32_t word = mb_chain_remote_load(first);
    return p == front->spare || mb_chain_slab_holds(&front->key, first, mb_link_decode(&front->key, first->slab.local), (uintptr_t)p) ||
           mb_chain_slab_holds(&front->key, first, mb_chain_remote_head(word, mb_chain_slab_start(first)), (uintptr_t)p) ||
           (&first->slab == front->current && mb_chain_slab_holds(&front->key, first, front->head, (uintptr_t)p));
}

MB_NOINLINE enum mb_error mb_chain_front_deallocate_slow(struct mb_chain_front *front, struct mb_chain_unit *first, void *p) {
    enum mb_chain_kind kind = mb_chain_kind(first);
    if (kind != MB_CHAIN_SLAB && kind != MB_CHAIN_PART) {
        return mb_report(front->reports, MB_BAD_POINTER, "pointer to no block", p);
    }
    first = mb_chain_slab_first(first);
    if (!mb_chain_slab_is_block(first, p)) {
        return mb_report(front->reports, MB_BAD_POINTER, "pointer into the middle of a block", p);
    }
    if (mb_tag_present(&front->key, (const struct mb_free_block *)p) && is_free(front, first, p)) {
        return mb_report(front->reports, MB_DOUBLE_FREE, "double free", p);
    }
    mb_chain_front_put(front, &first->slab, (struct mb_free_block *)p, mb_link_encode(&front->key, (uintptr_t)p));
    return MB_OK;
}
