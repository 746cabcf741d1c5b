// What all forms of operator new and delete do as long as memory lasts.
// Any thread. NULL: no memory.
#ifndef MB_PRELOAD_CXX_NEW_H
#define MB_PRELOAD_CXX_NEW_H

#include <stddef.h>

#include "core/front/fast.h"
#include "core/front/malloc.h"
#include "platform/bits.h"
#include "preload/forward.h"

// Somebody else's malloc may have no block of 0 bytes.
MB_INLINE void *mb_new_once(size_t bytes) {
    return mb_forward_malloc_is_ours() ? mb_malloc_fast(bytes) : malloc(mb_max(bytes, 1));
}

// NULL also where `align` is no power of two.
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
