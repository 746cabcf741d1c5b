// C functions that are made of other ones (reallocarray, cfree, C23's free_sized and free_aligned_sized), and
// malloc_usable_size.
//
// What: realloc and free are called by their exported names, so they are those of whichever malloc serves the process.
// This stands in a file of its own, so that the compiler does not take them for our definitions.
// Who: any thread.
#include <errno.h>
#include <stddef.h>

#include "core/front/lookup.h"
#include "core/front/malloc.h"
#include "platform/bits.h"
#include "platform/compiler.h"
#include "preload/forward.h"
#include "preload/mbmalloc.h"

MB_EXPORT size_t malloc_usable_size(void *p);

MB_HIDDEN size_t mb_self_malloc_usable_size(void *p);
MB_HIDDEN void mb_self_free_sized(void *p, size_t bytes);
MB_HIDDEN void mb_self_free_aligned_sized(void *p, size_t align, size_t bytes);

MB_EXPORT void *reallocarray(void *p, size_t count, size_t bytes) {
    size_t total;
    if (mb_mul_overflows(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, total);
}

MB_EXPORT void cfree(void *p) { free(p); }

MB_EXPORT void free_sized(void *p, size_t bytes) {
    if (mb_forward_wanted((uintptr_t)free_sized, (uintptr_t)mb_self_free_sized)) return mb_forward_free(p);
    mb_free_sized(p, bytes);
}

MB_EXPORT void free_aligned_sized(void *p, size_t align, size_t bytes) {
    if (mb_forward_wanted((uintptr_t)free_aligned_sized, (uintptr_t)mb_self_free_aligned_sized)) return mb_forward_free(p);
    mb_free_aligned_sized(p, align, bytes);
}

MB_NOINLINE static size_t usable_size_slow(void *p) {
    bool there = mb_forward_wanted((uintptr_t)malloc_usable_size, (uintptr_t)mb_self_malloc_usable_size);
    return there ? mb_forward_usable_size(p) : mb_usable_size(p);
}

MB_EXPORT size_t malloc_usable_size(void *p) {
    size_t small = mb_forward_alone() ? mb_lookup_small(p) : 0;
    return MB_LIKELY(small != 0) ? small : usable_size_slow(p);
}

size_t mb_self_malloc_usable_size(void *p) __attribute__((alias("malloc_usable_size")));
void mb_self_free_sized(void *p, size_t bytes) __attribute__((alias("free_sized")));
void mb_self_free_aligned_sized(void *p, size_t align, size_t bytes) __attribute__((alias("free_aligned_sized")));
