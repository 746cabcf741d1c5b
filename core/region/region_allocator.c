#include "core/region/region_allocator.h"

static struct mb_region_allocator *of(struct mb_allocator *a) { return (struct mb_region_allocator *)a; }
static const struct mb_region_allocator *view(const struct mb_allocator *a) { return (const struct mb_region_allocator *)a; }

static struct mb_region_allocator *entered(struct mb_allocator *a) {
    struct mb_region_allocator *member = of(a);
    mb_owner_check(&member->owner, member);
    member->error = MB_OK;
    return member;
}

// The region, for a call that carves; NULL while the range is taken over.
static struct mb_region *carver(struct mb_allocator *a) {
    struct mb_region_allocator *member = entered(a);
    if (member->taken) member->error = MB_FULL;
    return member->taken ? NULL : &member->region;
}

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    struct mb_region *region = carver(a);
    return region == NULL ? NULL : mb_region_allocate(region, bytes, align);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    struct mb_region *region = carver(a);
    return region == NULL ? NULL : mb_region_allocate_zeroed(region, bytes, align);
}

static enum mb_error foreign(struct mb_region_allocator *member, const void *p) {
    return member->error = mb_report(&member->reports, MB_BAD_POINTER, "pointer outside of the region", p);
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    struct mb_region_allocator *member = entered(a);
    (void)bytes;
    return mb_region_contains(&member->region, p) ? MB_OK : foreign(member, p);
}

static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_region *region = carver(a);
    if (region == NULL) return NULL;
    if (mb_region_contains(region, p)) return mb_region_grow(region, p, old_bytes, new_bytes, align);
    foreign(of(a), p);
    return NULL;
}

static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_region *region = carver(a);
    if (region == NULL) return NULL;
    if (!mb_region_contains(region, p)) {
        foreign(of(a), p);
    } else if (!mb_is_aligned((uintptr_t)p, align)) {
        of(a)->error = MB_BAD_ALIGN;
    } else {
        return mb_region_shrink(region, p, old_bytes, new_bytes);
    }
    return NULL;
}

static enum mb_error reset(struct mb_allocator *a) {
    struct mb_region *region = carver(a);
    if (region == NULL) return MB_FULL;
    mb_region_reset(region);
    return MB_OK;
}

static size_t usable_size(const struct mb_allocator *a, const void *p) {
    (void)a, (void)p;
    return 0;
}

static size_t capacity(const struct mb_allocator *a) { return mb_region_capacity(&view(a)->region); }
static bool owns(const struct mb_allocator *a, const void *p) { return mb_region_contains(&view(a)->region, p); }
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_reports_count(&view(a)->reports); }

static enum mb_error last_error(const struct mb_allocator *a) {
    return view(a)->error != MB_OK ? view(a)->error : mb_region_last_error(&view(a)->region);
}

static enum mb_error drop(struct mb_allocator *a) {
    struct mb_region_allocator *member = entered(a);
    if (member->taken) return member->error = MB_BAD_CONFIG;
    return mb_region_drop(&member->region);
}

// --- the range -------------------------------------------------------------------------------------------------------

static void *base(const struct mb_allocator *a) { return mb_region_base(&view(a)->region); }

// While the range is taken over, the member above says which thread may come.
static struct mb_region *range_of(struct mb_allocator *a) { return of(a)->taken ? &of(a)->region : &entered(a)->region; }

static enum mb_error commit(struct mb_allocator *a, size_t offset, size_t bytes) {
    return mb_region_commit(range_of(a), offset, bytes);
}

static enum mb_error release_pages(struct mb_allocator *a, void *p, size_t bytes) {
    return mb_region_release_pages(range_of(a), p, bytes);
}

static enum mb_error protect(struct mb_allocator *a, void *p, size_t bytes, unsigned access) {
    return mb_region_protect(range_of(a), p, bytes, access);
}

static enum mb_error take_over(struct mb_allocator *a, size_t *dirty_bytes) {
    struct mb_region_allocator *member = entered(a);
    if (member->taken || mb_region_allocated(&member->region) != 0) return member->error = MB_BAD_CONFIG;
    member->taken = true;
    *dirty_bytes = member->region.dirty;
    return MB_OK;
}

static void hand_back(struct mb_allocator *a, size_t dirty_bytes) {
    of(a)->taken = false;
    of(a)->region.dirty = mb_max(of(a)->region.dirty, mb_min(dirty_bytes, mb_region_committed(&of(a)->region)));
    mb_region_allocator_hand_over(of(a));
}

static const struct mb_range_table range = {
    .base = base, .size = capacity, .commit = commit, .release_pages = release_pages, .protect = protect,
    .take_over = take_over, .hand_back = hand_back,
};

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_RESETS | MB_TRAIT_OWNS | MB_TRAIT_RANGE,
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = grow, .shrink = shrink,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop, .range = &range,
};

// --- making one ------------------------------------------------------------------------------------------------------

enum mb_error mb_region_allocator_new_with(struct mb_region_allocator *member, const struct mb_region_config *config,
                                           enum mb_policy policy) {
    *member = (struct mb_region_allocator){.allocator = {.table = &table}, .reports = {.policy = policy}};
    return mb_region_new_with(&member->region, config);
}

enum mb_error mb_region_allocator_new_lazy(struct mb_region_allocator *member, size_t bytes) {
    struct mb_region_config config = MB_REGION_CONFIG(bytes);
    config.prefer = MB_REGION_LAZY;
    return mb_region_allocator_new_with(member, &config, MB_POLICY_ABORT);
}
