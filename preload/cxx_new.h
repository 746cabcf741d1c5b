// The first attempt of every form of operator new: a block, or NULL when memory is gone. Any thread.
#ifndef MB_PRELOAD_CXX_NEW_H
#define MB_PRELOAD_CXX_NEW_H

#include <stddef.h>

#include "core/front/fast.h"
#include "core/front/malloc.h"
#include "platform/bits.h"
#include "preload/forward.h"

// A block of `bytes`. Another malloc than ours is asked for 1 byte instead of 0, for which it may return NULL.
MB_INLINE void *mb_new_once(size_t bytes) {
    return mb_forward_malloc_is_ours() ? mb_malloc_fast(bytes) : malloc(mb_max(bytes, 1));
}

// The same with an alignment. NULL also where `align` is not a power of two.
MB_INLINE void *mb_new_once_aligned(size_t bytes, size_t align) {
    if (!mb_is_pow2(align)) return NULL;
    bool ours = mb_forward_malloc_is_ours() && mb_forward_free_is_ours();
    return MB_LIKELY(ours) ? mb_memalign(align, bytes) : mb_forward_memalign(align, bytes);
}

MB_INLINE void mb_delete_one(void *p) {
    if (MB_LIKELY(mb_forward_free_is_ours())) mb_free_fast(p);
    else mb_forward_free(p);
}

#endif
