#include "core/layout/remote_slab.h"

#include <string.h>

#include "core/base/check.h"
#include "core/layout/chain_front.h"
#include "core/layout/remote_slab_shared.h"

static struct mb_remote_slab *of(struct mb_allocator *a) { return (struct mb_remote_slab *)a; }
static const struct mb_remote_slab *view(const struct mb_allocator *a) { return (const struct mb_remote_slab *)a; }
// --- parts come and go -----------------------------------------------------------------------------------------------

static enum mb_error return_all(struct mb_remote_slab_shared *shared) {
    bool quiet = !MB_CHECKS || shared->reports.policy == MB_POLICY_COUNT;
    if (!quiet && mb_chain_front_live(&shared->front) != 0) mb_warn("remote slab dropped with slots in use", shared);
    return mb_span_source_drop(&shared->source, &shared->home);
}

void mb_remote_slab_begin_part(struct mb_remote_slab_shared *shared) { atomic_fetch_add_explicit(&shared->parts, 1, memory_order_relaxed); }

// The thread that ends the last part unmaps everything; if the system refuses, the part does not end.
enum mb_error mb_remote_slab_end_part(struct mb_remote_slab_shared *shared) {
    bool last = atomic_fetch_sub_explicit(&shared->parts, 1, memory_order_acq_rel) == 1;
    if (!last) return MB_OK;
    enum mb_error error = return_all(shared);
    if (error != MB_OK) mb_remote_slab_begin_part(shared);
    return error;
}

// --- the owner -------------------------------------------------------------------------------------------------------

static struct mb_remote_slab_shared *entered(struct mb_remote_slab *slab) {
    mb_owner_check(&slab->owner, slab);
    return slab->shared;
}

static void *fail(struct mb_remote_slab *slab, enum mb_error error) {
    slab->error = error;
    return NULL;
}

void *mb_remote_slab_take(struct mb_remote_slab *slab) {
    struct mb_remote_slab_shared *shared = entered(slab);
    return mb_chain_front_allocate(&shared->front, &slab->error);
}

enum mb_error mb_remote_slab_foreign(struct mb_remote_slab_shared *shared, const void *p) {
    return mb_report(&shared->reports, MB_BAD_POINTER, "pointer outside of the remote slab", p);
}

enum mb_error mb_remote_slab_give(struct mb_remote_slab *slab, void *p) {
    struct mb_remote_slab_shared *shared = entered(slab);
    struct mb_chain_unit *unit = mb_chain_unit_of(&shared->source.space, p);
    enum mb_error error = unit == NULL ? mb_remote_slab_foreign(shared, p) : mb_chain_front_deallocate(&shared->front, unit, p);
    if (MB_UNLIKELY(error != MB_OK)) slab->error = error;
    return error;
}

size_t mb_remote_slab_live(const struct mb_remote_slab *slab) { return mb_chain_front_live(&slab->shared->front); }

size_t mb_remote_slab_trim(struct mb_remote_slab *slab) {
    struct mb_remote_slab_shared *shared = entered(slab);
    uint64_t before = shared->source.purged_units;
    mb_chain_front_settle(&shared->front);
    mb_span_source_trim(&shared->source);
    return mb_span_source_purged_since(&shared->source, before);
}

enum mb_error mb_remote_slab_drop(struct mb_remote_slab *slab) {
    struct mb_remote_slab_shared *shared = entered(slab);
    if (shared == NULL) return MB_OK;
    bool alone = atomic_load_explicit(&shared->parts, memory_order_relaxed) == 1;
    if (!alone) mb_chain_front_settle(&shared->front); // for the handles' sake
    atomic_store_explicit(&shared->owned, 0, memory_order_release);
    enum mb_error error = mb_remote_slab_end_part(shared);
    if (error == MB_OK) {
        slab->shared = NULL;
        return MB_OK;
    }
    atomic_store_explicit(&shared->owned, 1, memory_order_relaxed); // nobody else is there
    return slab->error = error;
}

// --- the owner's interface -------------------------------------------------------------------------------------------

bool mb_remote_slab_is_live(const struct mb_remote_slab_shared *shared, const void *p) {
    struct mb_chain_unit *unit = mb_chain_unit_of(&shared->source.space, p);
    if (unit == NULL || (mb_chain_kind(unit) != MB_CHAIN_SLAB && mb_chain_kind(unit) != MB_CHAIN_PART)) return false;
    return mb_chain_slab_is_block(mb_chain_slab_first(unit), p) && !mb_tag_present(&shared->key, (const struct mb_free_block *)p);
}

static enum mb_error judge(const struct mb_remote_slab_shared *shared, size_t bytes, size_t align) {
    if (bytes > mb_remote_slab_slot_bytes(shared)) return MB_BAD_SIZE;
    return align <= shared->align ? MB_OK : MB_BAD_ALIGN;
}

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    struct mb_remote_slab *slab = of(a);
    enum mb_error error = judge(slab->shared, bytes, align);
    return error == MB_OK ? mb_remote_slab_take(slab) : fail(slab, error);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    void *p = allocate(a, bytes, align);
    return p == NULL ? NULL : memset(p, 0, bytes);
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    struct mb_remote_slab *slab = of(a);
    if (bytes <= mb_remote_slab_slot_bytes(slab->shared)) return mb_remote_slab_give(slab, p);
    return slab->error = mb_report(&slab->shared->reports, MB_BAD_SIZE, "slot freed with a wrong size", p);
}

static void *resize(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_remote_slab *slab = of(a);
    struct mb_remote_slab_shared *shared = entered(slab);
    (void)old_bytes;
    if (!mb_remote_slab_is_live(shared, p)) return fail(slab, mb_report(&shared->reports, MB_BAD_POINTER, "pointer to no slot in use", p));
    enum mb_error error = judge(shared, new_bytes, align);
    return error == MB_OK ? p : fail(slab, error);
}

static enum mb_error reset(struct mb_allocator *a) { return of(a)->error = MB_UNSUPPORTED; } // others may be freeing
static size_t usable_size(const struct mb_allocator *a, const void *p) {
    return mb_remote_slab_is_live(view(a)->shared, p) ? mb_remote_slab_slot_bytes(view(a)->shared) : 0;
}
static size_t capacity(const struct mb_allocator *a) { return view(a)->shared->source.limit_units << MB_UNIT_SHIFT; }
static bool owns(const struct mb_allocator *a, const void *p) {
    return view(a)->shared != NULL && mb_chain_unit_of(&view(a)->shared->source.space, p) != NULL;
}
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_reports_count(&view(a)->shared->reports); }
static enum mb_error last_error(const struct mb_allocator *a) { return view(a)->error; }
static enum mb_error drop(struct mb_allocator *a) { return mb_remote_slab_drop(of(a)); }

static const struct mb_allocator_table owner_table = {
    .traits = MB_TRAIT_FREES | MB_TRAIT_SIZES | MB_TRAIT_OWNS,
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = resize,
    .shrink = resize,
    .reset = reset,
    .usable_size = usable_size,
    .capacity = capacity,
    .owns = owns,
    .corruption_events = corruption_events,
    .last_error = last_error,
    .drop = drop,
};

// --- making parts ----------------------------------------------------------------------------------------------------

static void make_owner(struct mb_remote_slab_shared *shared, struct mb_remote_slab *slab) {
    *slab = (struct mb_remote_slab){.allocator = {.table = &owner_table}, .shared = shared};
}

enum mb_error mb_remote_handle_adopt(struct mb_remote_handle_shared *handle, struct mb_remote_slab *slab) {
    struct mb_remote_slab_shared *shared = handle->shared;
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(&shared->owned, &none, 1, memory_order_acquire, memory_order_relaxed)) {
        return MB_BAD_CONFIG;
    }
    mb_remote_slab_begin_part(shared);
    make_owner(shared, slab);
    return MB_OK;
}

static enum mb_error settle(struct mb_remote_slab_shared *shared, struct mb_chain_shape shape, size_t align,
                            const struct mb_source_config *config) {
    shared->reports.policy = config->policy;
    shared->align = align;
    enum mb_error error = mb_chain_front_open(&shared->front, &shared->source, &shared->reports, shape, config);
    if (error != MB_OK) return error;
    shared->key = shared->front.key;
    shared->front.news = &shared->news;
    atomic_store_explicit(&shared->parts, 1, memory_order_relaxed);
    atomic_store_explicit(&shared->owned, 1, memory_order_relaxed);
    return MB_OK;
}

enum mb_error mb_remote_slab_new_with(struct mb_remote_slab *slab, size_t slot, size_t align, const struct mb_source_config *config) {
    enum mb_error error = mb_chain_shape_judge(slot, &align);
    if (error != MB_OK) return error;
    struct mb_region home;
    error = mb_region_new(&home, sizeof(struct mb_remote_slab_shared));
    if (error != MB_OK) return error;
    struct mb_remote_slab_shared *shared = mb_region_base(&home);
    error = settle(shared, mb_chain_shape_for(mb_align_up(slot, align)), align, config);
    if (error != MB_OK) {
        mb_region_drop(&home);
        return error;
    }
    shared->home = home;
    make_owner(shared, slab);
    return MB_OK;
}

enum mb_error mb_remote_slab_new(struct mb_remote_slab *slab, size_t slot, size_t align, size_t max_bytes) {
    struct mb_source_config config = MB_SOURCE_CONFIG(max_bytes);
    return mb_remote_slab_new_with(slab, slot, align, &config);
}
