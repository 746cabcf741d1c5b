#include "core/layout/system_shared.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/config.h"

static struct mb_system_shared *of(struct mb_allocator *a) { return (struct mb_system_shared *)a; }

static void *answer(struct mb_allocator *a, void *p) {
    if (MB_UNLIKELY(p == NULL)) __atomic_store_n(&of(a)->error, MB_REFUSED, __ATOMIC_RELAXED);
    return p;
}

static enum mb_error fail(struct mb_allocator *a, enum mb_error error) {
    __atomic_store_n(&of(a)->error, error, __ATOMIC_RELAXED);
    return error;
}

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    if (align <= MB_GRANULE) return answer(a, malloc(bytes));
    void *p = NULL;
    return answer(a, posix_memalign(&p, align, bytes) == 0 ? p : NULL);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    if (align <= MB_GRANULE) return answer(a, calloc(1, bytes));
    void *p = allocate(a, bytes, align);
    return p == NULL ? NULL : memset(p, 0, bytes);
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    if (bytes > malloc_usable_size(p)) return fail(a, MB_BAD_SIZE);
    free(p);
    return MB_OK;
}

// realloc keeps no alignment beyond malloc's own.
static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    if (mb_is_aligned((uintptr_t)p, align) && new_bytes <= malloc_usable_size(p)) return p;
    if (align <= MB_GRANULE) return answer(a, realloc(p, new_bytes));
    void *fresh = allocate(a, new_bytes, align);
    if (fresh == NULL) return NULL;
    memcpy(fresh, p, old_bytes);
    free(p);
    return fresh;
}

static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    (void)old_bytes;
    if (!mb_is_aligned((uintptr_t)p, align)) {
        fail(a, MB_BAD_ALIGN);
        return NULL;
    }
    void *fresh = align <= MB_GRANULE ? realloc(p, new_bytes) : p;
    return fresh != NULL ? fresh : p;
}

static enum mb_error reset(struct mb_allocator *a) { return fail(a, MB_UNSUPPORTED); }
static size_t usable_size(const struct mb_allocator *a, const void *p) {
    (void)a;
    return malloc_usable_size((void *)(uintptr_t)p);
}
static size_t capacity(const struct mb_allocator *a) {
    (void)a;
    return SIZE_MAX;
}
static bool owns(const struct mb_allocator *a, const void *p) {
    (void)a, (void)p;
    return false;
}
static uint64_t corruption_events(const struct mb_allocator *a) {
    (void)a;
    return 0;
}
static enum mb_error last_error(const struct mb_allocator *a) {
    return __atomic_load_n(&((const struct mb_system_shared *)a)->error, __ATOMIC_RELAXED);
}
static enum mb_error drop(struct mb_allocator *a) {
    (void)a;
    return MB_OK;
}

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_FREES | MB_TRAIT_SIZES | MB_TRAIT_SHARED,
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = grow, .shrink = shrink,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop,
};

void mb_system_shared_init(struct mb_system_shared *system) {
    *system = (struct mb_system_shared){.allocator = {.table = &table}};
}
