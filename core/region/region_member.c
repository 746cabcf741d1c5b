// What: mb_region_* behind struct mb_allocator.
// Who: the region's owner thread.
// Invariant: an operation through the table is the one by name; nothing is done twice.
#include "core/region/region_member.h"

#include <string.h>

static struct mb_region *region_of(struct mb_allocator *a) { return (struct mb_region *)a; }
static const struct mb_region *region_read(const struct mb_allocator *a) { return (const struct mb_region *)a; }

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_region_allocate(region_of(a), bytes, align);
}
static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_region_allocate_zeroed(region_of(a), bytes, align);
}
static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    (void)bytes;
    return mb_region_deallocate(region_of(a), p);
}
static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    return mb_region_grow(region_of(a), p, old_bytes, new_bytes, align);
}

// A block that lies less aligned than is asked for now cannot be moved: a shrink never allocates.
static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    if (mb_is_aligned((uintptr_t)p, align)) return mb_region_shrink(region_of(a), p, old_bytes, new_bytes);
    region_of(a)->error = MB_BAD_ALIGN;
    return NULL;
}

static enum mb_error reset(struct mb_allocator *a) { return mb_region_reset(region_of(a)); }
static size_t usable_size(const struct mb_allocator *a, const void *p) { return mb_region_usable_size(region_read(a), p); }
static size_t capacity(const struct mb_allocator *a) { return mb_region_capacity(region_read(a)); }
static bool owns(const struct mb_allocator *a, const void *p) { return mb_region_contains(region_read(a), p); }
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_region_corruption_events(region_read(a)); }
static enum mb_error last_error(const struct mb_allocator *a) { return mb_region_last_error(region_read(a)); }
static enum mb_error drop(struct mb_allocator *a) { return mb_region_drop(region_of(a)); }

static void *base(const struct mb_allocator *a) { return mb_region_base(region_read(a)); }
static enum mb_error commit(struct mb_allocator *a, size_t offset, size_t bytes) {
    return mb_region_commit(region_of(a), offset, bytes);
}
static enum mb_error release_pages(struct mb_allocator *a, void *p, size_t bytes) {
    return mb_region_release_pages(region_of(a), p, bytes);
}
static enum mb_error protect(struct mb_allocator *a, void *p, size_t bytes, unsigned access) {
    return mb_region_protect(region_of(a), p, bytes, access);
}

static const struct mb_range_table range = {
    .base = base, .size = capacity, .commit = commit, .release_pages = release_pages, .protect = protect,
};

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_RESETS | MB_TRAIT_OWNS | MB_TRAIT_RANGE,
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = grow,
    .shrink = shrink,
    .reset = reset,
    .usable_size = usable_size,
    .capacity = capacity,
    .owns = owns,
    .corruption_events = corruption_events,
    .last_error = last_error,
    .drop = drop,
    .range = &range,
};

void mb_region_clear(struct mb_region *region) {
    memset(region, 0, sizeof *region);
    region->allocator.table = &table;
    region->last = MB_REGION_NO_BLOCK;
}
