// How malloc and free take part in the heap profile: core/heap/sampler.h decides which blocks are sampled,
// core/profile/profile.h stores them.
//
// What: a sampled small block comes from a commons (core/small/commons.h) whose slabs belong to no thread. Every free
// of such a block therefore takes the path of frees by another thread, which checks for samples; otherwise it is like
// any other block. A sampled large block has no maker, so that no heap keeps it for reuse. All these checks are made
// only in slow paths, after a look at whether anything is being observed (mb_perturb_quick_refills).
// Who: any thread, for its own blocks.
#ifndef MB_CORE_FRONT_SAMPLE_H
#define MB_CORE_FRONT_SAMPLE_H

#include <stddef.h>

#include "core/heap/perturb.h"
#include "core/heap/self.h"
#include "core/region/large_record.h"

// A sampled block of the class if the heap is due for a sample; else NULL.
void *mb_sample_take(struct mb_heap *heap, unsigned class_index, size_t bytes);

// Called when a large block has been handed out: samples it if one is due.
void mb_sample_large(struct mb_heap *heap, void *p, size_t bytes);

// Called when a block of a slab is being freed.
void mb_sample_freed(const struct mb_unit *unit, const void *p);

// mb_sample_resized: the length of the block has changed in place. mb_sample_asked: the program has requested another
// length than the one that malloc was given. NULL is no block.
void mb_sample_resized(const void *p, size_t bytes);
void mb_sample_asked(const void *p, size_t bytes);
MB_INLINE void *mb_sample_stays(void *p, size_t bytes) {
    if (MB_UNLIKELY(!mb_perturb_quick_refills())) mb_sample_resized(p, bytes);
    return p;
}

MB_INLINE void *mb_sample_was_asked(void *p, size_t bytes) {
    if (MB_UNLIKELY(!mb_perturb_quick_refills())) mb_sample_asked(p, bytes);
    return p;
}

extern MB_HIDDEN const char mb_sample_owner;
MB_INLINE bool mb_sample_is_large(const struct mb_slab *large) { return MB_PEEK(large->owner) == (const void *)&mb_sample_owner; }

#endif
