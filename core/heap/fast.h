// malloc and free, whole: no loop, no lock, no system call, no configuration. Every rare case ends in a _slow function.
//
// malloc pops the head of the class's allocation list. The one failing branch is taken for an empty list (the sentinel's link
// leads nowhere), for the last block (the list's end lies outside the slab) and for a broken link.
// free needs the descriptor, the owner, the block's start and the tag; then it pushes on the slab's local list. NULL and foreign
// pointers fail the range test, other threads' and large blocks the owner test, interior pointers and slabs of several units the bound.
#ifndef MB_CORE_HEAP_FAST_H
#define MB_CORE_HEAP_FAST_H

#include "core/heap/self.h"
#include "core/layout/block_list.h"
#include "core/region/unit.h"

void *mb_malloc_slow(size_t bytes);
void mb_free_slow(void *p);
// As many blocks have come back as the owner wanted to wait for: enough to use the slab again, or all.
void mb_slab_look_slow(struct mb_slab *slab);

MB_INLINE void *mb_malloc_fast(size_t bytes) {
    if (MB_UNLIKELY(bytes > MB_SMALL_MAX)) return mb_malloc_slow(bytes);
    struct mb_heap *heap = mb_heap_self;
    unsigned class_index = heap->class_of[(bytes + MB_GRANULE - 1) / MB_GRANULE];
    struct mb_free_block *block = NULL;
    if (MB_UNLIKELY(!mb_list_pop(&heap->head[class_index], &block))) return mb_malloc_slow(bytes);
    return block;
}

MB_INLINE void mb_free_fast(void *p) {
    if (MB_UNLIKELY(!mb_space_contains(p))) return mb_free_slow(p);
    struct mb_slab *slab = mb_slab_if_owned(mb_unit_of(p), mb_heap_self);
    if (MB_UNLIKELY(slab == NULL)) return mb_free_slow(p);
    if (MB_UNLIKELY(!mb_slab_admits(slab, p))) return mb_free_slow(p);
    struct mb_free_block *block = p;
    uint64_t own_code = mb_link_encode((uintptr_t)p);
    if (MB_UNLIKELY(MB_PEEK(block->tag) == own_code)) return mb_free_slow(p);
    if (MB_UNLIKELY(mb_slab_put(slab, block, own_code))) mb_slab_look_slow(slab);
}

#endif
