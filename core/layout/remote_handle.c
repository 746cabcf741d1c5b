// A remote slab's handles: rights to free its slots.
#include "core/layout/chain_front.h"
#include "core/layout/remote_slab.h"
#include "core/layout/remote_slab_shared.h"

static struct mb_remote_handle_shared *handle_of(struct mb_allocator *a) { return (struct mb_remote_handle_shared *)a; }
static const struct mb_remote_handle_shared *handle_view(const struct mb_allocator *a) { return (const struct mb_remote_handle_shared *)a; }

// --- frees -----------------------------------------------------------------------------------------------------------

static enum mb_error judge_slot(struct mb_remote_slab_shared *shared, struct mb_chain_unit *unit, const void *p) {
    enum mb_chain_kind kind = mb_chain_kind(unit);
    if (kind != MB_CHAIN_SLAB && kind != MB_CHAIN_PART) {
        return mb_report(&shared->reports, MB_BAD_POINTER, "pointer to no slot", p);
    }
    if (!mb_chain_slab_is_block(mb_chain_slab_first(unit), p)) {
        return mb_report(&shared->reports, MB_BAD_POINTER, "pointer into the middle of a slot", p);
    }
    return mb_tag_present(&shared->key, (const struct mb_free_block *)p) ? mb_report(&shared->reports, MB_DOUBLE_FREE, "double free", p)
                                                                         : MB_OK;
}

static void put_among_news(struct mb_remote_slab_shared *shared, struct mb_chain_unit *first) {
    uint32_t number = (uint32_t)mb_span_source_index(&shared->source, first) + 1;
    uint32_t seen = atomic_load_explicit(&shared->news.first, memory_order_relaxed);
    do {
        atomic_store_explicit(&first->shared.next_news, seen, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&shared->news.first, &seen, number, memory_order_release, memory_order_relaxed));
}

enum mb_error mb_remote_handle_give(struct mb_remote_handle_shared *handle, void *p) {
    struct mb_remote_slab_shared *shared = handle->shared;
    struct mb_chain_unit *unit = mb_chain_unit_of(&shared->source.space, p);
    enum mb_error error = unit == NULL ? mb_remote_slab_foreign(shared, p) : judge_slot(shared, unit, p);
    if (MB_UNLIKELY(error != MB_OK)) {
        __atomic_store_n(&handle->error, error, __ATOMIC_RELAXED);
        return error;
    }
    struct mb_chain_unit *first = mb_chain_slab_first(unit);
    uint32_t word = mb_chain_remote_push(&shared->key, first, p, mb_chain_slab_start(first));
    if (mb_chain_remote_count(word) == 1) put_among_news(shared, first);
    return MB_OK;
}

// --- a handle's interface: frees, and nothing else -------------------------------------------------------------------

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
    return mb_remote_slab_is_live(handle_view(a)->shared, p) ? mb_remote_slab_slot_bytes(handle_view(a)->shared) : 0;
}
static size_t handle_capacity(const struct mb_allocator *a) { return handle_view(a)->shared->source.limit_units << MB_UNIT_SHIFT; }
static bool handle_owns(const struct mb_allocator *a, const void *p) {
    const struct mb_remote_slab_shared *shared = handle_view(a)->shared;
    return shared != NULL && mb_chain_unit_of(&shared->source.space, p) != NULL;
}
static uint64_t handle_corruption_events(const struct mb_allocator *a) { return mb_reports_count(&handle_view(a)->shared->reports); }
static enum mb_error handle_last_error(const struct mb_allocator *a) { return __atomic_load_n(&handle_view(a)->error, __ATOMIC_RELAXED); }
static enum mb_error handle_drop(struct mb_allocator *a) { return mb_remote_handle_drop(handle_of(a)); }

static const struct mb_allocator_table handle_table = {
    .traits = MB_TRAIT_FREES | MB_TRAIT_SIZES | MB_TRAIT_OWNS | MB_TRAIT_SHARED,
    .allocate = handle_allocate,
    .allocate_zeroed = handle_allocate,
    .deallocate = handle_deallocate,
    .grow = handle_resize,
    .shrink = handle_resize,
    .reset = handle_cannot,
    .usable_size = handle_usable_size,
    .capacity = handle_capacity,
    .owns = handle_owns,
    .corruption_events = handle_corruption_events,
    .last_error = handle_last_error,
    .drop = handle_drop,
};

// --- making and ending -----------------------------------------------------------------------------------------------

static void make_handle(struct mb_remote_slab_shared *shared, struct mb_remote_handle_shared *handle) {
    mb_remote_slab_begin_part(shared);
    *handle = (struct mb_remote_handle_shared){.allocator = {.table = &handle_table}, .shared = shared};
}

void mb_remote_slab_handle(struct mb_remote_slab *slab, struct mb_remote_handle_shared *handle) {
    mb_owner_check(&slab->owner, slab);
    make_handle(slab->shared, handle);
}

void mb_remote_handle_copy(struct mb_remote_handle_shared *handle, struct mb_remote_handle_shared *copy) {
    make_handle(handle->shared, copy);
}

enum mb_error mb_remote_handle_drop(struct mb_remote_handle_shared *handle) {
    struct mb_remote_slab_shared *shared = handle->shared;
    if (shared == NULL) return MB_OK;
    enum mb_error error = mb_remote_slab_end_part(shared);
    if (error == MB_OK)
        handle->shared = NULL;
    else
        __atomic_store_n(&handle->error, error, __ATOMIC_RELAXED);
    return error;
}
