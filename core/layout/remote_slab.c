#include "core/layout/remote_slab.h"

#include <string.h>

#include "core/base/check.h"
#include "core/layout/chain_front.h"

// Lies in a mapping of its own, `home`, which goes with the last part.
struct mb_remote_slab_shared {
    struct mb_chain_front front;   // the owner's
    struct mb_span_source source; // the owner's, but for addresses and descriptors
    size_t align;                 // constant
    struct mb_link_key key;       // constant, as the front's, on a line that the owner does not write
    struct mb_region home;        // constant
    struct mb_reports reports;    // any thread
    _Atomic uint32_t parts;       // the owner, if there is one, and the handles; any thread (acq_rel)
    _Atomic uint32_t owned;       // 1 while there is an owner: who gives up (release), who adopts (CAS, acquire)
    struct mb_chain_news_shared news;
};

static struct mb_remote_slab *of(struct mb_allocator *a) { return (struct mb_remote_slab *)a; }
static const struct mb_remote_slab *view(const struct mb_allocator *a) { return (const struct mb_remote_slab *)a; }
static struct mb_remote_handle_shared *handle_of(struct mb_allocator *a) { return (struct mb_remote_handle_shared *)a; }
static const struct mb_remote_handle_shared *handle_view(const struct mb_allocator *a) {
    return (const struct mb_remote_handle_shared *)a;
}

// --- parts come and go --------------------------------------------------------------------------------------------------

static enum mb_error return_all(struct mb_remote_slab_shared *shared) {
    bool quiet = !MB_CHECKS || shared->reports.policy == MB_POLICY_COUNT;
    if (!quiet && mb_chain_front_live(&shared->front) != 0) mb_warn("remote slab dropped with slots in use", shared);
    return mb_span_source_drop(&shared->source, &shared->home);
}

static void begin_part(struct mb_remote_slab_shared *shared) {
    atomic_fetch_add_explicit(&shared->parts, 1, memory_order_relaxed);
}

// Who ends the last part has everything for itself; where the system refuses, the part does not end.
static enum mb_error end_part(struct mb_remote_slab_shared *shared) {
    bool last = atomic_fetch_sub_explicit(&shared->parts, 1, memory_order_acq_rel) == 1;
    if (!last) return MB_OK;
    enum mb_error error = return_all(shared);
    if (error != MB_OK) begin_part(shared);
    return error;
}

// --- the owner ----------------------------------------------------------------------------------------------------------

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

static enum mb_error foreign(struct mb_remote_slab_shared *shared, const void *p) {
    return mb_report(&shared->reports, MB_BAD_POINTER, "pointer outside of the remote slab", p);
}

enum mb_error mb_remote_slab_give(struct mb_remote_slab *slab, void *p) {
    struct mb_remote_slab_shared *shared = entered(slab);
    struct mb_chain_unit *unit = mb_chain_unit_of(&shared->source.space, p);
    enum mb_error error = unit == NULL ? foreign(shared, p) : mb_chain_front_deallocate(&shared->front, unit, p);
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
    enum mb_error error = end_part(shared);
    if (error == MB_OK) {
        slab->shared = NULL;
        return MB_OK;
    }
    atomic_store_explicit(&shared->owned, 1, memory_order_relaxed); // nobody else is there
    return slab->error = error;
}

// --- handles ------------------------------------------------------------------------------------------------------------

static enum mb_error judge_slot(struct mb_remote_slab_shared *shared, struct mb_chain_unit *unit, const void *p) {
    enum mb_chain_kind kind = mb_chain_kind(unit);
    if (kind != MB_CHAIN_SLAB && kind != MB_CHAIN_PART) {
        return mb_report(&shared->reports, MB_BAD_POINTER, "pointer to no slot", p);
    }
    if (!mb_chain_slab_is_block(mb_chain_slab_first(unit), p)) {
        return mb_report(&shared->reports, MB_BAD_POINTER, "pointer into the middle of a slot", p);
    }
    return mb_tag_present(&shared->key, (const struct mb_free_block *)p) ? mb_report(&shared->reports, MB_DOUBLE_FREE, "double free", p) : MB_OK;
}

static void put_among_news(struct mb_remote_slab_shared *shared, struct mb_chain_unit *first) {
    uint32_t number = (uint32_t)mb_span_source_index(&shared->source, first) + 1;
    uint32_t seen = atomic_load_explicit(&shared->news.first, memory_order_relaxed);
    do {
        atomic_store_explicit(&first->shared.next_news, seen, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&shared->news.first, &seen, number, memory_order_release,
                                                    memory_order_relaxed));
}

enum mb_error mb_remote_handle_give(struct mb_remote_handle_shared *handle, void *p) {
    struct mb_remote_slab_shared *shared = handle->shared;
    struct mb_chain_unit *unit = mb_chain_unit_of(&shared->source.space, p);
    enum mb_error error = unit == NULL ? foreign(shared, p) : judge_slot(shared, unit, p);
    if (MB_UNLIKELY(error != MB_OK)) {
        __atomic_store_n(&handle->error, error, __ATOMIC_RELAXED);
        return error;
    }
    struct mb_chain_unit *first = mb_chain_slab_first(unit);
    uint32_t word = mb_chain_remote_push(&shared->key, first, p, mb_chain_slab_start(first));
    if (mb_chain_remote_count(word) == 1) put_among_news(shared, first);
    return MB_OK;
}

// --- the owner's interface ----------------------------------------------------------------------------------------------

static size_t slot_bytes(const struct mb_remote_slab_shared *shared) { return shared->front.shape.block_bytes; }

static bool is_live(const struct mb_remote_slab_shared *shared, const void *p) {
    struct mb_chain_unit *unit = mb_chain_unit_of(&shared->source.space, p);
    if (unit == NULL || (mb_chain_kind(unit) != MB_CHAIN_SLAB && mb_chain_kind(unit) != MB_CHAIN_PART)) return false;
    return mb_chain_slab_is_block(mb_chain_slab_first(unit), p) && !mb_tag_present(&shared->key, (const struct mb_free_block *)p);
}

static enum mb_error judge(const struct mb_remote_slab_shared *shared, size_t bytes, size_t align) {
    if (bytes > slot_bytes(shared)) return MB_BAD_SIZE;
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
    if (bytes <= slot_bytes(slab->shared)) return mb_remote_slab_give(slab, p);
    return slab->error = mb_report(&slab->shared->reports, MB_BAD_SIZE, "slot freed with a wrong size", p);
}

static void *resize(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_remote_slab *slab = of(a);
    struct mb_remote_slab_shared *shared = entered(slab);
    (void)old_bytes;
    if (!is_live(shared, p)) return fail(slab, mb_report(&shared->reports, MB_BAD_POINTER, "pointer to no slot in use", p));
    enum mb_error error = judge(shared, new_bytes, align);
    return error == MB_OK ? p : fail(slab, error);
}

static enum mb_error reset(struct mb_allocator *a) { return of(a)->error = MB_UNSUPPORTED; } // others may be freeing
static size_t usable_size(const struct mb_allocator *a, const void *p) {
    return is_live(view(a)->shared, p) ? slot_bytes(view(a)->shared) : 0;
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
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = resize, .shrink = resize,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop,
};

// --- a handle's interface: frees, and nothing else ------------------------------------------------------------------------

static enum mb_error handle_cannot(struct mb_allocator *a) {
    __atomic_store_n(&handle_of(a)->error, MB_UNSUPPORTED, __ATOMIC_RELAXED);
    return MB_UNSUPPORTED;
}
static void *handle_allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    (void)bytes, (void)align;
    handle_cannot(a);
    return NULL;
}
static void *handle_resize(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    (void)p, (void)old_bytes, (void)new_bytes, (void)align;
    handle_cannot(a);
    return NULL;
}
static enum mb_error handle_deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    (void)bytes;
    return mb_remote_handle_give(handle_of(a), p);
}
static size_t handle_usable_size(const struct mb_allocator *a, const void *p) {
    return is_live(handle_view(a)->shared, p) ? slot_bytes(handle_view(a)->shared) : 0;
}
static size_t handle_capacity(const struct mb_allocator *a) {
    return handle_view(a)->shared->source.limit_units << MB_UNIT_SHIFT;
}
static bool handle_owns(const struct mb_allocator *a, const void *p) {
    const struct mb_remote_slab_shared *shared = handle_view(a)->shared;
    return shared != NULL && mb_chain_unit_of(&shared->source.space, p) != NULL;
}
static uint64_t handle_corruption_events(const struct mb_allocator *a) {
    return mb_reports_count(&handle_view(a)->shared->reports);
}
static enum mb_error handle_last_error(const struct mb_allocator *a) {
    return __atomic_load_n(&handle_view(a)->error, __ATOMIC_RELAXED);
}
static enum mb_error handle_drop(struct mb_allocator *a) { return mb_remote_handle_drop(handle_of(a)); }

static const struct mb_allocator_table handle_table = {
    .traits = MB_TRAIT_FREES | MB_TRAIT_SIZES | MB_TRAIT_OWNS | MB_TRAIT_SHARED,
    .allocate = handle_allocate, .allocate_zeroed = handle_allocate, .deallocate = handle_deallocate,
    .grow = handle_resize, .shrink = handle_resize, .reset = handle_cannot, .usable_size = handle_usable_size,
    .capacity = handle_capacity, .owns = handle_owns, .corruption_events = handle_corruption_events,
    .last_error = handle_last_error, .drop = handle_drop,
};

// --- making parts -------------------------------------------------------------------------------------------------------

static void make_handle(struct mb_remote_slab_shared *shared, struct mb_remote_handle_shared *handle) {
    begin_part(shared);
    *handle = (struct mb_remote_handle_shared){.allocator = {.table = &handle_table}, .shared = shared};
}

void mb_remote_slab_handle(struct mb_remote_slab *slab, struct mb_remote_handle_shared *handle) {
    make_handle(entered(slab), handle);
}

void mb_remote_handle_copy(struct mb_remote_handle_shared *handle, struct mb_remote_handle_shared *copy) {
    make_handle(handle->shared, copy);
}

enum mb_error mb_remote_handle_drop(struct mb_remote_handle_shared *handle) {
    struct mb_remote_slab_shared *shared = handle->shared;
    if (shared == NULL) return MB_OK;
    enum mb_error error = end_part(shared);
    if (error == MB_OK) handle->shared = NULL;
    else __atomic_store_n(&handle->error, error, __ATOMIC_RELAXED);
    return error;
}

static void make_owner(struct mb_remote_slab_shared *shared, struct mb_remote_slab *slab) {
    *slab = (struct mb_remote_slab){.allocator = {.table = &owner_table}, .shared = shared};
}

enum mb_error mb_remote_handle_adopt(struct mb_remote_handle_shared *handle, struct mb_remote_slab *slab) {
    struct mb_remote_slab_shared *shared = handle->shared;
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(&shared->owned, &none, 1, memory_order_acquire, memory_order_relaxed)) {
        return MB_BAD_CONFIG;
    }
    begin_part(shared);
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

enum mb_error mb_remote_slab_new_with(struct mb_remote_slab *slab, size_t slot, size_t align,
                                      const struct mb_source_config *config) {
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
