// What: the C library's malloc as the one that serves this process: in programs that the options `only` and `skip`
// leave to it. And a sanitizer's malloc, in programs that are built with one: a sanitizer needs its own malloc to see
// misuse, and would take the reuse of our blocks by other threads for data races. How: its functions stand in a struct
// mb_calls, as those of another copy of this library do. The program's calls are bound to our names by then, so each
// comes here first and is passed on.
// Who: the functions that decide run in the thread that runs the start; the others in any thread, after it.
#include <stdint.h>

#include "core/process/foreign.h"
#include "core/told/stats.h"
#include "platform/libc.h"
#include "platform/malloc_names.h"
#include "platform/sanitizer.h"

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void (*free)(void *);
    size_t (*usable_size)(void *);
    int (*trim)(size_t);
    struct mallinfo2 (*info)(void);
} libc MB_SEALED;

static void *libc_malloc(size_t bytes) { return libc.malloc(bytes); }
static void *libc_calloc(size_t count, size_t bytes) { return libc.calloc(count, bytes); }
static void *libc_realloc(void *p, size_t bytes) { return libc.realloc(p, bytes); }
static void *libc_memalign(size_t align, size_t bytes) { return libc.memalign(align, bytes); }
static void libc_free(void *p) { libc.free(p); }
static size_t libc_usable_size(const void *p) { return libc.usable_size((void *)(uintptr_t)p); }
static bool libc_trim(size_t keep_bytes) { return libc.trim != NULL && libc.trim(keep_bytes) != 0; }

static void libc_free_sized(void *p, size_t bytes) {
    (void)bytes;
    libc.free(p);
}

static void libc_free_aligned_sized(void *p, size_t align, size_t bytes) {
    (void)align, (void)bytes;
    libc.free(p);
}

static bool is_ours(const void *p) {
    (void)p;
    return false;
}

static void libc_stats_get(struct mb_stats *out) {
    *out = (struct mb_stats){0};
    if (libc.info == NULL) return;
    struct mallinfo2 info = libc.info();
    out->live_bytes = info.uordblks + info.hblkhd;
    out->large_blocks = info.hblks;
    out->large_bytes = info.hblkhd;
    out->committed_bytes = info.arena + info.hblkhd;
    out->reserved_bytes = out->committed_bytes;
    out->warm_free_bytes = info.keepcost;
}

static const struct mb_calls calls = {
    .malloc = libc_malloc,
    .calloc = libc_calloc,
    .realloc = libc_realloc,
    .memalign = libc_memalign,
    .free = libc_free,
    .free_sized = libc_free_sized,
    .free_aligned_sized = libc_free_aligned_sized,
    .usable_size = libc_usable_size,
    .owns = is_ours,
    .is_block = is_ours,
    .trim = libc_trim,
    .stats_get = libc_stats_get,
};

static const struct mb_calls *all_found(void) {
    bool all = libc.malloc != NULL && libc.calloc != NULL && libc.realloc != NULL && libc.memalign != NULL && libc.free != NULL &&
               libc.usable_size != NULL;
    return all ? &calls : NULL;
}

const struct mb_calls *mb_foreign_libc_serves(void) {
    libc.malloc = (void *(*)(size_t))mb_foreign_own(MB_OWN_malloc);
    libc.calloc = (void *(*)(size_t, size_t))mb_foreign_own(MB_OWN_calloc);
    libc.realloc = (void *(*)(void *, size_t))mb_foreign_own(MB_OWN_realloc);
    libc.memalign = (void *(*)(size_t, size_t))mb_foreign_own(MB_OWN_memalign);
    libc.free = (void (*)(void *))mb_foreign_own(MB_OWN_free);
    libc.usable_size = (size_t(*)(void *))mb_foreign_own(MB_OWN_malloc_usable_size);
    libc.trim = (int (*)(size_t))mb_foreign_own(MB_OWN_malloc_trim);
    libc.info = (struct mallinfo2(*)(void))mb_foreign_own(MB_OWN_mallinfo2);
    return all_found();
}

static void *behind_us(const char *name) { return mb_foreign_next_symbol(name, &libc); }

const struct mb_calls *mb_foreign_sanitizer_serves(void) {
    if (MB_TSAN || MB_ASAN || !mb_sanitizer_watches()) return NULL; // what is built with one itself is what it shall watch
    libc.malloc = (void *(*)(size_t))behind_us("malloc");
    if ((void *)libc.malloc == mb_foreign_own(MB_OWN_malloc)) return NULL; // its malloc is the program's already, or it has none
    libc.calloc = (void *(*)(size_t, size_t))behind_us("calloc");
    libc.realloc = (void *(*)(void *, size_t))behind_us("realloc");
    libc.memalign = (void *(*)(size_t, size_t))behind_us("memalign");
    libc.free = (void (*)(void *))behind_us("free");
    libc.usable_size = (size_t(*)(void *))behind_us("malloc_usable_size");
    return all_found();
}
