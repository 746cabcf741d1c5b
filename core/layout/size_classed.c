#include "core/layout/size_classed.h"

#include <string.h>

#include "core/base/check.h"

static struct mb_size_classed *member_of(struct mb_allocator *a) { return (struct mb_size_classed *)a; }
static struct mb_size_classed_state *of(struct mb_allocator *a) { return member_of(a)->state; }
static const struct mb_size_classed_state *view(const struct mb_allocator *a) {
    return ((const struct mb_size_classed *)a)->state;
}

static void *fail(struct mb_size_classed_state *classed, enum mb_error error) {
    classed->error = error;
    return NULL;
}

// --- large blocks ----------------------------------------------------------------------------------------------------

static size_t units_for(size_t bytes) { return (bytes + MB_UNIT_MASK) >> MB_UNIT_SHIFT; }

static void describe(struct mb_chain_unit *unit, size_t units) {
    MB_POKE(unit->slab.large_units, (uint32_t)units);
    mb_chain_set_kind(unit, MB_CHAIN_LARGE);
}

// Slabs of which no block is live go back to the source: other requests may want their place.
MB_COLD static void release_idle(struct mb_size_classed_state *classed) {
    for (unsigned c = 0; c < MB_CLASSES; c++) mb_chain_front_release_idle(&classed->fronts[c]);
}

static void *allocate_large(struct mb_size_classed_state *classed, size_t bytes, size_t align, bool *zero) {
    struct mb_span span;
    size_t units = units_for(bytes), align_units = mb_max(align >> MB_UNIT_SHIFT, 1);
    enum mb_error error = mb_span_source_take(&classed->source, units, align_units, &span);
    if (error != MB_OK) {
        release_idle(classed);
        error = mb_span_source_take(&classed->source, units, align_units, &span);
        if (error != MB_OK) return fail(classed, error);
    }
    describe(mb_span_source_unit(&classed->source, span.first), units);
    *zero = span.zero;
    return (void *)mb_span_source_address(&classed->source, span.first);
}

static enum mb_error deallocate_large(struct mb_size_classed_state *classed, struct mb_chain_unit *unit, const void *p) {
    size_t units = unit->slab.large_units;
    if (!mb_is_aligned((uintptr_t)p, MB_UNIT_BYTES)) {
        return mb_report(&classed->reports, MB_BAD_POINTER, "pointer into the middle of a block", p);
    }
    memset(&unit->slab, 0, sizeof unit->slab);
    mb_span_source_give(&classed->source, mb_span_source_index(&classed->source, unit), units);
    return MB_OK;
}

// Into free units behind the block, or by giving units at its end back.
static bool resize_large(struct mb_size_classed_state *classed, struct mb_chain_unit *unit, size_t bytes) {
    struct mb_span_source *source = &classed->source;
    size_t first = mb_span_source_index(source, unit), old = unit->slab.large_units, units = units_for(bytes);
    if (units > old && !mb_span_source_take_at(source, first + old, units - old)) return false;
    describe(unit, units);
    if (units < old) mb_span_source_give(source, first + units, old - units);
    return true;
}

// --- blocks ----------------------------------------------------------------------------------------------------------

// Memory is short: empty slabs of other classes may help.
MB_COLD static void *allocate_last(struct mb_size_classed_state *classed, struct mb_chain_front *front) {
    release_idle(classed);
    return mb_chain_front_allocate(front, &classed->error);
}

static unsigned class_for(size_t bytes, size_t align) {
    size_t rounded = mb_bytes_to_align(mb_max(align, 1), bytes);
    return rounded == SIZE_MAX ? MB_CLASSES : mb_class_of(rounded);
}

static void *take(struct mb_size_classed_state *classed, size_t bytes, size_t align, bool *zero) {
    enum mb_error error = mb_allocator_judge(bytes, align);
    if (MB_UNLIKELY(error != MB_OK)) return fail(classed, error);
    unsigned class_index = class_for(bytes, align);
    if (class_index == MB_CLASSES) return allocate_large(classed, bytes, align, zero);
    void *p = mb_chain_front_allocate(&classed->fronts[class_index], &classed->error);
    return MB_LIKELY(p != NULL) ? p : allocate_last(classed, &classed->fronts[class_index]);
}

void *mb_size_classed_allocate_slow(struct mb_size_classed *classed, size_t bytes, size_t align) {
    bool zero;
    return take(classed->state, bytes, align, &zero);
}

static struct mb_chain_front *front_of(struct mb_size_classed_state *classed, struct mb_chain_unit *unit) {
    return &classed->fronts[mb_chain_slab_first(unit)->slab.class_index];
}

enum mb_error mb_size_classed_deallocate_slow(struct mb_size_classed *member, void *p) {
    struct mb_size_classed_state *classed = member->state;
    struct mb_chain_unit *unit = mb_chain_unit_of(&classed->source.space, p);
    enum mb_error error;
    if (MB_UNLIKELY(unit == NULL)) {
        error = mb_report(&classed->reports, MB_BAD_POINTER, "pointer outside of the allocator", p);
    } else if (MB_UNLIKELY(mb_chain_kind(unit) == MB_CHAIN_LARGE)) {
        error = deallocate_large(classed, unit, p);
    } else {
        error = mb_chain_front_deallocate(front_of(classed, unit), unit, p);
    }
    return error;
}

static size_t usable_of(const struct mb_size_classed_state *classed, const void *p) {
    struct mb_chain_unit *unit = mb_chain_unit_of(&classed->source.space, p);
    if (unit == NULL) return 0;
    enum mb_chain_kind kind = mb_chain_kind(unit);
    size_t large_bytes = (size_t)unit->slab.large_units << MB_UNIT_SHIFT;
    if (kind == MB_CHAIN_LARGE) return mb_is_aligned((uintptr_t)p, MB_UNIT_BYTES) ? large_bytes : 0;
    if (kind != MB_CHAIN_SLAB && kind != MB_CHAIN_PART) return 0;
    unit = mb_chain_slab_first(unit);
    bool live = mb_chain_slab_is_block(unit, p) && !mb_tag_present(&classed->fronts[0].key, (const struct mb_free_block *)p);
    return live ? unit->slab.block_bytes : 0;
}

// --- the interface ---------------------------------------------------------------------------------------------------

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_size_classed_allocate(member_of(a), bytes, align);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    bool zero = false;
    mb_owner_check(&of(a)->owner, a);
    void *p = take(of(a), bytes, align, &zero);
    return p == NULL || zero ? p : memset(p, 0, bytes);
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    struct mb_size_classed_state *classed = of(a);
    size_t usable = usable_of(classed, p);
    if (usable != 0 && bytes > usable) {
        return classed->error = mb_report(&classed->reports, MB_BAD_SIZE, "block freed with a wrong size", p);
    }
    enum mb_error error = mb_size_classed_deallocate(member_of(a), p);
    if (MB_UNLIKELY(error != MB_OK)) classed->error = error;
    return error;
}

static void *move(struct mb_size_classed *classed, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    void *fresh = mb_size_classed_allocate(classed, new_bytes, align);
    if (fresh == NULL) return NULL;
    memcpy(fresh, p, mb_min(old_bytes, new_bytes));
    mb_size_classed_deallocate(classed, p);
    return fresh;
}

// The usable bytes of the block that is to be resized; 0: it is none, or smaller than its user says.
static size_t judge_block(struct mb_size_classed_state *classed, const void *p, size_t old_bytes) {
    mb_owner_check(&classed->owner, classed);
    size_t usable = usable_of(classed, p);
    if (usable == 0) fail(classed, mb_report(&classed->reports, MB_BAD_POINTER, "pointer to no live block", p));
    else if (old_bytes > usable) fail(classed, MB_BAD_SIZE);
    return old_bytes > usable ? 0 : usable;
}

static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_size_classed_state *classed = of(a);
    size_t usable = judge_block(classed, p, old_bytes);
    if (usable == 0) return NULL;
    bool aligned = mb_is_aligned((uintptr_t)p, align);
    if (aligned && new_bytes <= usable) return p;
    struct mb_chain_unit *unit = mb_chain_unit_of(&classed->source.space, p);
    if (aligned && mb_chain_kind(unit) == MB_CHAIN_LARGE && resize_large(classed, unit, new_bytes)) return p;
    return move(member_of(a), p, old_bytes, new_bytes, align);
}

// A block that shrinks to less than half its slot moves to a smaller one where that can be had.
static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_size_classed_state *classed = of(a);
    size_t usable = judge_block(classed, p, old_bytes);
    if (usable == 0) return NULL;
    if (!mb_is_aligned((uintptr_t)p, align)) return move(member_of(a), p, old_bytes, new_bytes, align);
    struct mb_chain_unit *unit = mb_chain_unit_of(&classed->source.space, p);
    bool large = mb_chain_kind(unit) == MB_CHAIN_LARGE;
    if (large && new_bytes > MB_MEDIUM_MAX) resize_large(classed, unit, new_bytes);
    if (new_bytes > usable / 2 || (large && new_bytes > MB_MEDIUM_MAX)) return p;
    enum mb_error error = classed->error;
    void *fresh = move(member_of(a), p, old_bytes, new_bytes, align);
    if (fresh == NULL) classed->error = error;
    return fresh != NULL ? fresh : p;
}

static enum mb_error reset(struct mb_allocator *a) {
    struct mb_size_classed_state *classed = of(a);
    mb_owner_check(&classed->owner, classed);
    mb_span_source_reset(&classed->source);
    for (unsigned c = 0; c < MB_CLASSES; c++) mb_chain_front_forget(&classed->fronts[c]);
    return MB_OK;
}

static size_t usable_size(const struct mb_allocator *a, const void *p) { return usable_of(view(a), p); }
static size_t capacity(const struct mb_allocator *a) { return view(a)->source.limit_units << MB_UNIT_SHIFT; }
static bool owns(const struct mb_allocator *a, const void *p) {
    return view(a) != NULL && mb_chain_unit_of(&view(a)->source.space, p) != NULL;
}
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_reports_count(&view(a)->reports); }
static enum mb_error last_error(const struct mb_allocator *a) { return view(a)->error; }
static enum mb_error drop(struct mb_allocator *a) { return mb_size_classed_drop((struct mb_size_classed *)a); }

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_FREES | MB_TRAIT_RESETS | MB_TRAIT_SIZES | MB_TRAIT_OWNS,
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = grow, .shrink = shrink,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop,
};

// --- making one ------------------------------------------------------------------------------------------------------

static struct mb_chain_shape shape_of(unsigned class_index) {
    struct mb_chain_shape shape = mb_chain_shape_for(mb_class_bytes(class_index));
    shape.class_index = (uint8_t)class_index;
    return shape;
}

static enum mb_error settle(struct mb_size_classed_state *classed, const struct mb_source_config *config) {
    classed->reports.policy = config->policy;
    enum mb_error error = mb_span_source_open(&classed->source, config, 1);
    for (unsigned c = 0; error == MB_OK && c < MB_CLASSES; c++) {
        mb_chain_front_init(&classed->fronts[c], &classed->source, &classed->reports, shape_of(c));
    }
    return error;
}

enum mb_error mb_size_classed_new_with(struct mb_size_classed *classed, const struct mb_source_config *config) {
    *classed = (struct mb_size_classed){.allocator = {.table = &table}};
    struct mb_region home;
    enum mb_error error = mb_region_new(&home, sizeof *classed->state);
    if (error != MB_OK) return error;
    struct mb_size_classed_state *state = mb_region_base(&home);
    error = settle(state, config);
    if (error != MB_OK) {
        mb_region_drop(&home);
        return error;
    }
    state->home = home;
    classed->state = state;
    return MB_OK;
}

enum mb_error mb_size_classed_new(struct mb_size_classed *classed, size_t max_bytes) {
    struct mb_source_config config = MB_SOURCE_CONFIG(max_bytes);
    return mb_size_classed_new_with(classed, &config);
}

enum mb_error mb_size_classed_drop(struct mb_size_classed *classed) {
    struct mb_size_classed_state *state = classed->state;
    if (state == NULL) return MB_OK;
    mb_owner_check(&state->owner, state);
    bool quiet = !MB_CHECKS || state->reports.policy == MB_POLICY_COUNT;
    if (!quiet && mb_size_classed_live(classed) != 0) mb_warn("allocator dropped with live blocks", state);
    enum mb_error error = mb_span_source_drop(&state->source, &state->home);
    if (error == MB_OK) classed->state = NULL;
    else state->error = error;
    return error;
}

void mb_size_classed_hand_over(struct mb_size_classed *classed) { mb_owner_hand_over(&classed->state->owner); }

// --- by name ---------------------------------------------------------------------------------------------------------

size_t mb_size_classed_usable_size(const struct mb_size_classed *classed, const void *p) {
    return usable_of(classed->state, p);
}

size_t mb_size_classed_live(const struct mb_size_classed *classed) {
    const struct mb_size_classed_state *state = classed->state;
    size_t live = 0;
    for (unsigned c = 0; c < MB_CLASSES; c++) live += mb_chain_front_live(&state->fronts[c]);
    for (size_t i = 0; i < mb_span_source_units(&state->source); i++) {
        live += mb_chain_kind(mb_span_source_unit(&state->source, i)) == MB_CHAIN_LARGE;
    }
    return live;
}

size_t mb_size_classed_trim(struct mb_size_classed *classed) {
    struct mb_size_classed_state *state = classed->state;
    mb_owner_check(&state->owner, state);
    uint64_t before = state->source.purged_units;
    for (unsigned c = 0; c < MB_CLASSES; c++) mb_chain_front_settle(&state->fronts[c]);
    mb_span_source_trim(&state->source);
    return mb_span_source_purged_since(&state->source, before);
}
