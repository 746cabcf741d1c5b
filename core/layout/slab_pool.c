#include "core/layout/slab_pool.h"

#include <string.h>

#include "core/base/check.h"

static struct mb_slab_pool_state *of(struct mb_allocator *a) { return ((struct mb_slab_pool *)a)->state; }
static const struct mb_slab_pool_state *view(const struct mb_allocator *a) {
    return ((const struct mb_slab_pool *)a)->state;
}

static size_t slot_of(const struct mb_slab_pool_state *pool) { return pool->front.shape.block_bytes; }

static void *fail(struct mb_slab_pool_state *pool, enum mb_error error) {
    pool->error = error;
    return NULL;
}

MB_COLD enum mb_error mb_slab_pool_foreign_slow(struct mb_slab_pool *pool, const void *p) {
    return pool->state->error = mb_report(&pool->state->reports, MB_BAD_POINTER, "pointer outside of the pool", p);
}

// --- the interface ---------------------------------------------------------------------------------------------------

static enum mb_error judge(const struct mb_slab_pool_state *pool, size_t bytes, size_t align) {
    if (bytes > slot_of(pool)) return MB_BAD_SIZE;
    return align <= pool->align ? MB_OK : MB_BAD_ALIGN;
}

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    struct mb_slab_pool_state *pool = of(a);
    enum mb_error error = judge(pool, bytes, align);
    return MB_LIKELY(error == MB_OK) ? mb_slab_pool_take((struct mb_slab_pool *)a) : fail(pool, error);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    void *p = allocate(a, bytes, align);
    return p == NULL ? NULL : memset(p, 0, bytes);
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    struct mb_slab_pool_state *pool = of(a);
    enum mb_error error = MB_OK;
    if (bytes > slot_of(pool)) {
        error = mb_report(&pool->reports, MB_BAD_SIZE, "slot freed with a wrong size", p);
    } else {
        error = mb_slab_pool_give((struct mb_slab_pool *)a, p);
    }
    if (MB_UNLIKELY(error != MB_OK)) pool->error = error;
    return error;
}

static bool is_live(const struct mb_slab_pool_state *pool, const void *p) {
    struct mb_chain_unit *unit = mb_chain_unit_of(&pool->source.space, p);
    if (unit == NULL || (mb_chain_kind(unit) != MB_CHAIN_SLAB && mb_chain_kind(unit) != MB_CHAIN_PART)) return false;
    return mb_chain_slab_is_block(mb_chain_slab_first(unit), p) && !mb_tag_present(&pool->front.key, (const struct mb_free_block *)p);
}

static void *resize(struct mb_allocator *a, void *p, size_t new_bytes, size_t align) {
    struct mb_slab_pool_state *pool = of(a);
    mb_owner_check(&pool->owner, pool);
    if (!is_live(pool, p)) return fail(pool, mb_report(&pool->reports, MB_BAD_POINTER, "pointer to no slot in use", p));
    enum mb_error error = judge(pool, new_bytes, align);
    return error == MB_OK ? p : fail(pool, error);
}

static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    (void)old_bytes;
    return resize(a, p, new_bytes, align);
}

static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    (void)old_bytes;
    return resize(a, p, new_bytes, align);
}

static enum mb_error reset(struct mb_allocator *a) {
    struct mb_slab_pool_state *pool = of(a);
    mb_owner_check(&pool->owner, pool);
    mb_span_source_reset(&pool->source);
    mb_chain_front_forget(&pool->front);
    return MB_OK;
}

static size_t usable_size(const struct mb_allocator *a, const void *p) {
    return is_live(view(a), p) ? slot_of(view(a)) : 0;
}

static size_t capacity(const struct mb_allocator *a) { return view(a)->source.limit_units << MB_UNIT_SHIFT; }
static bool owns(const struct mb_allocator *a, const void *p) {
    return view(a) != NULL && mb_chain_unit_of(&view(a)->source.space, p) != NULL;
}
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_reports_count(&view(a)->reports); }
static enum mb_error last_error(const struct mb_allocator *a) { return view(a)->error; }
static enum mb_error drop(struct mb_allocator *a) { return mb_slab_pool_drop((struct mb_slab_pool *)a); }

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_FREES | MB_TRAIT_RESETS | MB_TRAIT_SIZES | MB_TRAIT_OWNS,
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = grow, .shrink = shrink,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop,
};

// --- making one ------------------------------------------------------------------------------------------------------

static enum mb_error settle(struct mb_slab_pool_state *pool, struct mb_chain_shape shape, size_t align,
                            const struct mb_source_config *config) {
    pool->reports.policy = config->policy;
    pool->align = align;
    return mb_chain_front_open(&pool->front, &pool->source, &pool->reports, shape, config);
}

enum mb_error mb_slab_pool_new_with(struct mb_slab_pool *pool, size_t slot_bytes, size_t align,
                                    const struct mb_source_config *config) {
    *pool = (struct mb_slab_pool){.allocator = {.table = &table}};
    enum mb_error error = mb_chain_shape_judge(slot_bytes, &align);
    if (error != MB_OK) return error;
    struct mb_region home;
    error = mb_region_new(&home, sizeof *pool->state);
    if (error != MB_OK) return error;
    struct mb_slab_pool_state *state = mb_region_base(&home);
    error = settle(state, mb_chain_shape_for(mb_align_up(slot_bytes, align)), align, config);
    if (error != MB_OK) {
        mb_region_drop(&home);
        return error;
    }
    state->home = home;
    pool->state = state;
    return MB_OK;
}

enum mb_error mb_slab_pool_new(struct mb_slab_pool *pool, size_t slot_bytes, size_t align, size_t max_bytes) {
    struct mb_source_config config = MB_SOURCE_CONFIG(max_bytes);
    return mb_slab_pool_new_with(pool, slot_bytes, align, &config);
}

enum mb_error mb_slab_pool_drop(struct mb_slab_pool *pool) {
    struct mb_slab_pool_state *state = pool->state;
    if (state == NULL) return MB_OK;
    mb_owner_check(&state->owner, state);
    bool quiet = !MB_CHECKS || state->reports.policy == MB_POLICY_COUNT;
    if (!quiet && mb_slab_pool_live(pool) != 0) mb_warn("pool dropped with slots in use", state);
    enum mb_error error = mb_span_source_drop(&state->source, &state->home);
    if (error == MB_OK) pool->state = NULL;
    else state->error = error;
    return error;
}

void mb_slab_pool_hand_over(struct mb_slab_pool *pool) { mb_owner_hand_over(&pool->state->owner); }

// --- by name ---------------------------------------------------------------------------------------------------------

size_t mb_slab_pool_slot_bytes(const struct mb_slab_pool *pool) { return slot_of(pool->state); }
size_t mb_slab_pool_live(const struct mb_slab_pool *pool) { return mb_chain_front_live(&pool->state->front); }

size_t mb_slab_pool_trim(struct mb_slab_pool *pool) {
    struct mb_slab_pool_state *state = pool->state;
    mb_owner_check(&state->owner, state);
    uint64_t before = state->source.purged_units;
    mb_chain_front_settle(&state->front);
    mb_span_source_trim(&state->source);
    return mb_span_source_purged_since(&state->source, before);
}
