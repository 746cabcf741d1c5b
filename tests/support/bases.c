// What: see tests/support/bases.h: allocators over the C library's malloc, over a region, and over a region with a free
// list.
#include "tests/support/bases.h"

#include <stdlib.h>
#include <string.h>

// --- libc ------------------------------------------------------------------------------------------------------------

static struct libc_base *libc_of(const struct mb_allocator *a) { return (struct libc_base *)(uintptr_t)a; }

static void *libc_allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    struct libc_base *base = libc_of(a);
    void *p;
    size_t limit = base->limit_bytes, live = atomic_fetch_add(&base->live_bytes, bytes) + bytes;
    if ((limit != 0 && live > limit) || posix_memalign(&p, mb_max(align, sizeof(void *)), bytes) != 0) {
        base->live_bytes -= bytes;
        return NULL;
    }
    base->live_blocks++;
    base->allocations++;
    return p;
}

static void *libc_allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    void *p = libc_allocate(a, bytes, align);
    return p != NULL ? memset(p, 0, bytes) : NULL;
}

static enum mb_error libc_deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    struct libc_base *base = libc_of(a);
    if (!mb_allocator_can(a, MB_TRAIT_FREES)) return MB_OK;
    free(p);
    base->live_bytes -= bytes;
    base->live_blocks--;
    return MB_OK;
}

static void *libc_resize(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    void *q = libc_allocate(a, new_bytes, align);
    if (q == NULL) return NULL;
    memcpy(q, p, mb_min(old_bytes, new_bytes));
    libc_deallocate(a, p, old_bytes);
    return q;
}

static enum mb_error no_reset(struct mb_allocator *a) {
    (void)a;
    return MB_UNSUPPORTED;
}
static size_t no_size(const struct mb_allocator *a, const void *p) {
    (void)a;
    (void)p;
    return 0;
}
static size_t libc_capacity(const struct mb_allocator *a) {
    (void)a;
    return SIZE_MAX;
}
static bool owns_nothing(const struct mb_allocator *a, const void *p) {
    (void)a;
    (void)p;
    return false;
}
static uint64_t no_events(const struct mb_allocator *a) {
    (void)a;
    return 0;
}
static enum mb_error full(const struct mb_allocator *a) {
    (void)a;
    return MB_FULL;
}
static enum mb_error libc_drop(struct mb_allocator *a) {
    libc_of(a)->dropped = true;
    return MB_OK;
}

void libc_base_init(struct libc_base *base, uint32_t traits_missing) {
    memset(base, 0, sizeof *base);
    base->table = (struct mb_allocator_table){
        .traits = (MB_TRAIT_FREES | MB_TRAIT_SHARED) & ~traits_missing,
        .allocate = libc_allocate, .allocate_zeroed = libc_allocate_zeroed, .deallocate = libc_deallocate,
        .grow = libc_resize, .shrink = libc_resize, .reset = no_reset, .usable_size = no_size,
        .capacity = libc_capacity, .owns = owns_nothing, .corruption_events = no_events, .last_error = full,
        .drop = libc_drop,
    };
    base->api.table = &base->table;
}

// --- region ----------------------------------------------------------------------------------------------------------

static struct region_base *region_of(const struct mb_allocator *a) { return (struct region_base *)(uintptr_t)a; }

static void *region_allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_region_allocate(&region_of(a)->region, bytes, align);
}
static void *region_allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_region_allocate_zeroed(&region_of(a)->region, bytes, align);
}
static enum mb_error region_deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    (void)bytes;
    return mb_region_deallocate(&region_of(a)->region, p);
}
static void *region_grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    return mb_region_grow(&region_of(a)->region, p, old_bytes, new_bytes, align);
}
static void *region_shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    (void)align;
    return mb_region_shrink(&region_of(a)->region, p, old_bytes, new_bytes);
}
static enum mb_error region_reset(struct mb_allocator *a) {
    mb_region_reset(&region_of(a)->region);
    return MB_OK;
}
static size_t region_capacity(const struct mb_allocator *a) { return mb_region_capacity(&region_of(a)->region); }
static bool region_owns(const struct mb_allocator *a, const void *p) {
    return mb_region_contains(&region_of(a)->region, p);
}
static enum mb_error region_last_error(const struct mb_allocator *a) { return region_of(a)->region.error; }
static enum mb_error region_drop(struct mb_allocator *a) { return mb_region_drop(&region_of(a)->region); }

static void *region_base_address(const struct mb_allocator *a) { return mb_region_base(&region_of(a)->region); }
static enum mb_error region_commit(struct mb_allocator *a, size_t offset, size_t bytes) {
    return mb_region_commit(&region_of(a)->region, offset, bytes);
}
static enum mb_error region_release(struct mb_allocator *a, void *p, size_t bytes) {
    return mb_region_release_pages(&region_of(a)->region, p, bytes);
}
static enum mb_error region_protect(struct mb_allocator *a, void *p, size_t bytes, unsigned access) {
    return mb_region_protect(&region_of(a)->region, p, bytes, access);
}

enum mb_error region_base_init(struct region_base *base, size_t bytes, uint32_t require) {
    struct mb_region_config config = MB_REGION_CONFIG(bytes);
    memset(base, 0, sizeof *base);
    config.require = require;
    base->range = (struct mb_range_table){.base = region_base_address, .size = region_capacity, .commit = region_commit,
                                          .release_pages = region_release, .protect = region_protect};
    base->table = (struct mb_allocator_table){
        .traits = MB_TRAIT_RANGE | MB_TRAIT_RESETS | MB_TRAIT_OWNS,
        .allocate = region_allocate, .allocate_zeroed = region_allocate_zeroed, .deallocate = region_deallocate,
        .grow = region_grow, .shrink = region_shrink, .reset = region_reset, .usable_size = no_size,
        .capacity = region_capacity, .owns = region_owns, .corruption_events = no_events,
        .last_error = region_last_error, .drop = region_drop, .range = &base->range,
    };
    base->api.table = &base->table;
    return mb_region_new_with(&base->region, &config);
}

// --- list ------------------------------------------------------------------------------------------------------------

static struct list_base *list_of(const struct mb_allocator *a) { return (struct list_base *)(uintptr_t)a; }

static struct list_block *list_find(const struct mb_allocator *a, const void *p) {
    struct list_base *base = list_of(a);
    for (size_t i = base->count; i-- > 0;) {
        if (base->blocks[i].p == p) return &base->blocks[i];
    }
    return NULL;
}

static void *list_allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    struct list_base *base = list_of(a);
    for (size_t i = base->count; i-- > 0;) {
        struct list_block *block = &base->blocks[i];
        if (block->live || block->bytes != bytes || !mb_is_aligned((uintptr_t)block->p, align)) continue;
        block->live = true;
        base->live++;
        return block->p;
    }
    char *p = base->count < LIST_BASE_BLOCKS ? region_allocate(a, bytes, align) : NULL;
    if (p == NULL) return NULL;
    base->blocks[base->count++] = (struct list_block){p, bytes, true};
    base->live++;
    return p;
}

static void *list_allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    void *p = list_allocate(a, bytes, align);
    return p != NULL ? memset(p, 0, bytes) : NULL;
}

static enum mb_error list_deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    struct list_block *block = list_find(a, p);
    if (block == NULL) return MB_BAD_POINTER;
    if (!block->live) return MB_DOUBLE_FREE;
    if (block->bytes != bytes) return MB_BAD_SIZE;
    memset(p, 0x11, mb_min(bytes, 16));
    block->live = false;
    list_of(a)->live--;
    return MB_OK;
}

static void *list_resize(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    void *q = list_allocate(a, new_bytes, align);
    if (q == NULL) return NULL;
    memcpy(q, p, mb_min(old_bytes, new_bytes));
    list_deallocate(a, p, old_bytes);
    return q;
}

static size_t list_usable_size(const struct mb_allocator *a, const void *p) {
    const struct list_block *block = list_find(a, p);
    return block != NULL && block->live ? block->bytes : 0;
}

enum mb_error list_base_init(struct list_base *base, size_t bytes) {
    base->count = base->live = 0;
    enum mb_error error = region_base_init(&base->under, bytes, MB_REGION_LAZY);
    struct mb_allocator_table *table = &base->under.table;
    table->traits = MB_TRAIT_FREES | MB_TRAIT_RANGE | MB_TRAIT_OWNS | MB_TRAIT_SIZES;
    table->allocate = list_allocate;
    table->allocate_zeroed = list_allocate_zeroed;
    table->deallocate = list_deallocate;
    table->grow = table->shrink = list_resize;
    table->reset = no_reset;
    table->usable_size = list_usable_size;
    return error;
}
