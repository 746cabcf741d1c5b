// Where the heap profile meets malloc and free: core/heap/sampler.h says which blocks, core/profile/profile.h keeps
// them.
//
// What: a sampled small block comes from a commons of its own, whose slabs are no thread's: so each free of it takes
// the way of frees by another thread, which looks for it, and everything else about it is as with any block. A sampled
// large block is made by nobody, so that no heap keeps it. All of this is asked only in slow paths that have seen that
// something is watched (mb_perturb_quick_refills).
// Who: any thread, on its own blocks.
#ifndef MB_CORE_FRONT_SAMPLE_H
#define MB_CORE_FRONT_SAMPLE_H

#include <stddef.h>

#include "core/heap/perturb.h"
#include "core/heap/self.h"
#include "core/region/large_record.h"

// A sampled block of the class, if one is due in the heap; else NULL.
void *mb_sample_take(struct mb_heap *heap, unsigned class_index, size_t bytes);

// A large block has been handed out, which may be one to sample.
void mb_sample_large(struct mb_heap *heap, void *p, size_t bytes);

// The block of a slab is being freed.
void mb_sample_freed(const struct mb_unit *unit, const void *p);

// The block has another length where it is / was asked for with another one than malloc has seen. NULL is none.
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
