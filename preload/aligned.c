// The functions that return aligned blocks (posix_memalign, aligned_alloc, memalign, valloc, pvalloc), with glibc's
// rules for alignments and sizes that are not powers of two.
//
// What: each checks its arguments as glibc does and then calls the core, or, where another malloc serves the process,
// that one (preload/forward.h). The names that begin with __libc_ mean the allocator below any wrapper and always call
// the core.
// Who: any thread.
#include <errno.h>
#include <stddef.h>

#include "core/front/fast.h"
#include "core/front/malloc.h"
#include "platform/bits.h"
#include "platform/compiler.h"
#include "platform/os.h"
#include "preload/forward.h"

MB_EXPORT void *valloc(size_t bytes);
MB_EXPORT void *pvalloc(size_t bytes);
MB_HIDDEN void *mb_self_valloc(size_t bytes);
MB_HIDDEN void *mb_self_pvalloc(size_t bytes);

static void *fail(int error) {
    errno = error;
    return NULL;
}

// The next power of two; `align` is at most the largest one.
static size_t round_to_pow2(size_t align) { return align <= 1 ? 1 : (size_t)1 << (mb_log2(align - 1) + 1); }

typedef void *(*align_function)(size_t align, size_t bytes);

// The function that makes the aligned block: mb_memalign, or mb_forward_memalign where another malloc serves the
// process.
static align_function server_of(uintptr_t winner, uintptr_t ours) {
    return MB_UNLIKELY(mb_forward_wanted(winner, ours)) ? mb_forward_memalign : mb_memalign;
}

static void *memalign_by(align_function serve, size_t align, size_t bytes) {
    return align > SIZE_MAX / 2 + 1 ? fail(EINVAL) : serve(round_to_pow2(align), bytes);
}

// Rounds the size up to whole pages.
static void *pvalloc_by(align_function serve, size_t bytes) {
    size_t page = mb_os_page_size(), rounded;
    return mb_align_up_checked(bytes, page, &rounded) ? serve(page, rounded) : fail(ENOMEM);
}

// As POSIX wants, it returns the error and leaves errno alone.
static int posix_memalign_by(align_function serve, void **out, size_t align, size_t bytes) {
    int saved = errno;
    void *p = serve(align, bytes);
    errno = saved;
    if (p == NULL) return ENOMEM;
    *out = p;
    return 0;
}

MB_NOINLINE static int posix_memalign_refill(void **out, size_t align, size_t bytes) {
    return posix_memalign_by(mb_memalign_slow, out, align, bytes);
}

MB_NOINLINE static int posix_memalign_slow(void **out, size_t align, size_t bytes) {
    if (!mb_is_pow2(align) || align < sizeof(void *)) return EINVAL;
    return posix_memalign_by(server_of((uintptr_t)posix_memalign, (uintptr_t)mb_self_posix_memalign), out, align, bytes);
}

MB_EXPORT int posix_memalign(void **out, size_t align, size_t bytes) {
    if (MB_UNLIKELY(!mb_is_pow2(align) || align < sizeof(void *) || !mb_forward_alone())) return posix_memalign_slow(out, align, bytes);
    void *p = mb_memalign_fast(align, bytes);
    if (MB_UNLIKELY(p == NULL)) return posix_memalign_refill(out, align, bytes);
    *out = p;
    return 0;
}

MB_NOINLINE static void *aligned_alloc_slow(size_t align, size_t bytes) {
    if (!mb_is_pow2(align)) return fail(EINVAL);
    return server_of((uintptr_t)aligned_alloc, (uintptr_t)mb_self_aligned_alloc)(align, bytes);
}

// As glibc since 2.38: the size need not be a multiple of the alignment.
MB_EXPORT void *aligned_alloc(size_t align, size_t bytes) {
    if (MB_UNLIKELY(!mb_is_pow2(align) || !mb_forward_alone())) return aligned_alloc_slow(align, bytes);
    void *p = mb_memalign_fast(align, bytes);
    return MB_LIKELY(p != NULL) ? p : mb_memalign_slow(align, bytes);
}

MB_EXPORT void *memalign(size_t align, size_t bytes) {
    return memalign_by(server_of((uintptr_t)memalign, (uintptr_t)mb_self_memalign), align, bytes);
}

MB_EXPORT void *valloc(size_t bytes) {
    return server_of((uintptr_t)valloc, (uintptr_t)mb_self_valloc)(mb_os_page_size(), bytes);
}

MB_EXPORT void *pvalloc(size_t bytes) {
    return pvalloc_by(server_of((uintptr_t)pvalloc, (uintptr_t)mb_self_pvalloc), bytes);
}

MB_EXPORT void *__libc_memalign(size_t align, size_t bytes) { return memalign_by(mb_memalign, align, bytes); }
MB_EXPORT void *__libc_valloc(size_t bytes) { return mb_memalign(mb_os_page_size(), bytes); }
MB_EXPORT void *__libc_pvalloc(size_t bytes) { return pvalloc_by(mb_memalign, bytes); }

int mb_self_posix_memalign(void **out, size_t align, size_t bytes) __attribute__((alias("posix_memalign")));
void *mb_self_aligned_alloc(size_t align, size_t bytes) __attribute__((alias("aligned_alloc")));
void *mb_self_memalign(size_t align, size_t bytes) __attribute__((alias("memalign")));
void *mb_self_valloc(size_t bytes) __attribute__((alias("valloc")));
void *mb_self_pvalloc(size_t bytes) __attribute__((alias("pvalloc")));
