// What: mb_locked_* behind struct mb_allocator.
// Who: the locked region's owner thread.
// Invariant: an operation through the table is the one by name; nothing is done twice.
#include "core/region/locked_member.h"

#include <string.h>

static struct mb_locked *locked_of(struct mb_allocator *a) { return (struct mb_locked *)a; }
static const struct mb_locked *locked_read(const struct mb_allocator *a) { return (const struct mb_locked *)a; }

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_locked_allocate(locked_of(a), bytes, align);
}
static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    return mb_locked_deallocate(locked_of(a), p, bytes);
}
static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    return mb_locked_grow(locked_of(a), p, old_bytes, new_bytes, align);
}

// A block that lies less aligned than is asked for now cannot be moved: a shrink never allocates.
static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    if (mb_is_aligned((uintptr_t)p, align)) return mb_locked_shrink(locked_of(a), p, old_bytes, new_bytes);
    locked_of(a)->error = MB_BAD_ALIGN;
    return NULL;
}

static enum mb_error reset(struct mb_allocator *a) { return mb_locked_reset(locked_of(a)); }
static size_t usable_size(const struct mb_allocator *a, const void *p) {
    (void)a;
    (void)p;
    return 0; // unknown: sizes are not written beside secrets
}
static size_t capacity(const struct mb_allocator *a) { return mb_locked_capacity(locked_read(a)); }
static bool owns(const struct mb_allocator *a, const void *p) { return mb_locked_contains(locked_read(a), p); }
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_locked_corruption_events(locked_read(a)); }
static enum mb_error last_error(const struct mb_allocator *a) { return mb_locked_last_error(locked_read(a)); }
static enum mb_error drop(struct mb_allocator *a) { return mb_locked_drop(locked_of(a)); }

static void *base(const struct mb_allocator *a) { return mb_locked_base(locked_read(a)); }

// All of it is committed from the start.
static enum mb_error commit(struct mb_allocator *a, size_t offset, size_t bytes) {
    size_t all = capacity(a);
    if (offset <= all && bytes <= all - offset) return MB_OK;
    locked_of(a)->error = MB_BAD_RANGE;
    return MB_BAD_RANGE;
}

// Nothing is live, so all of it is zero.
static enum mb_error take_over(struct mb_allocator *a, size_t *dirty_bytes) {
    struct mb_locked *locked = locked_of(a);
    if (locked->taken || mb_locked_allocated(locked) != 0) return locked->error = MB_BAD_CONFIG;
    enum mb_error error = mb_locked_rewind(locked, 0);
    if (error != MB_OK) return error;
    locked->taken = true;
    *dirty_bytes = 0;
    return MB_OK;
}

static void hand_back(struct mb_allocator *a, size_t dirty_bytes) {
    struct mb_locked *locked = locked_of(a);
    mb_scrub(mb_locked_base(locked), mb_min(dirty_bytes, mb_locked_capacity(locked)));
    locked->taken = false;
    mb_locked_hand_over(locked);
}

static const struct mb_range_table range = {
    .base = base, .size = capacity, .commit = commit, .take_over = take_over, .hand_back = hand_back,
};

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_RESETS | MB_TRAIT_OWNS | MB_TRAIT_RANGE,
    .allocate = allocate,
    .allocate_zeroed = allocate, // all it hands out is zero,
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

void mb_locked_clear(struct mb_locked *locked) {
    memset(locked, 0, sizeof *locked);
    locked->allocator.table = &table;
}
