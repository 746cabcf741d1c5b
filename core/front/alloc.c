// calloc and the aligned forms.
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/front/fast.h"
#include "core/front/large.h"
#include "core/front/malloc.h"
#include "core/front/sample.h"
#include "core/front/slow.h"
#include "core/heap/perturb.h"
#include "core/process/foreign.h"
#include "core/process/init.h"
#include "core/process/thread.h"
#include "platform/bits.h"

static void *calloc_large(size_t bytes) {
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) return other->calloc(1, bytes);
    struct mb_heap *heap = bytes > PTRDIFF_MAX ? NULL : mb_thread_enter();
    if (heap == NULL) return mb_no_memory();
    void *p = mb_large_alloc_zeroed(heap, bytes);
    if (MB_UNLIKELY(!mb_perturb_quick_refills()) && p != NULL) mb_sample_large(heap, p, bytes);
    mb_thread_leave(heap);
    return p != NULL ? p : mb_no_memory();
}

void *mb_calloc(size_t count, size_t bytes) {
    size_t total;
    if (MB_UNLIKELY(mb_mul_overflows(count, bytes, &total))) return mb_no_memory();
    if (total > MB_MEDIUM_MAX) return calloc_large(total);
    void *p = mb_malloc_fast(total);
    return p == NULL ? NULL : memset(p, 0, total);
}

MB_NOINLINE void *mb_memalign_slow(size_t align, size_t bytes) {
    if (!mb_is_pow2(align)) {
        errno = EINVAL;
        return NULL;
    }
    const struct mb_calls *other = mb_other_copy();
    if (MB_UNLIKELY(other != NULL)) return other->memalign(align, bytes);
    size_t rounded = align <= MB_GRANULE ? bytes : mb_bytes_to_align(align, bytes);
    if (rounded <= MB_MEDIUM_MAX) return mb_sample_was_asked(mb_malloc_slow(rounded), bytes);
    if (bytes > PTRDIFF_MAX || align > PTRDIFF_MAX) return mb_no_memory();
    struct mb_heap *heap = mb_thread_enter();
    if (heap == NULL) return mb_no_memory();
    void *p = mb_large_alloc_aligned(heap, align, bytes);
    if (MB_UNLIKELY(!mb_perturb_quick_refills()) && p != NULL) mb_sample_large(heap, p, bytes);
    mb_thread_leave(heap);
    if (MB_UNLIKELY(mb_perturb_byte() != 0) && p != NULL) mb_perturb_handed_out(p, bytes);
    return p != NULL ? p : mb_no_memory();
}

void *mb_memalign(size_t align, size_t bytes) {
    void *p = mb_is_pow2(align) ? mb_memalign_fast(align, bytes) : NULL;
    return MB_LIKELY(p != NULL) ? p : mb_memalign_slow(align, bytes);
}
