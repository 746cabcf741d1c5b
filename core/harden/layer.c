#include "core/harden/layer.h"

#include <string.h>

#include "core/base/check.h"
#include "core/base/print.h"

enum { STANDARD_ERROR = 2 };

// --- forwarding ------------------------------------------------------------------------------------------------------

static struct mb_allocator *base_of(const struct mb_allocator *api) { return mb_layer_of(api)->base; }

static void *forward_allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    return mb_layer_passed_block(mb_layer_of(api), mb_allocator_allocate(base_of(api), bytes, align));
}

static void *forward_allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    return mb_layer_passed_block(mb_layer_of(api), mb_allocator_allocate_zeroed(base_of(api), bytes, align));
}

static enum mb_error forward_deallocate(struct mb_allocator *api, void *p, size_t bytes) {
    return mb_layer_passed(mb_layer_of(api), mb_allocator_deallocate(base_of(api), p, bytes));
}

static void *forward_grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    return mb_layer_passed_block(mb_layer_of(api), mb_allocator_grow(base_of(api), p, old_bytes, new_bytes, align));
}

static void *forward_shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    return mb_layer_passed_block(mb_layer_of(api), mb_allocator_shrink(base_of(api), p, old_bytes, new_bytes, align));
}

static enum mb_error forward_reset(struct mb_allocator *api) {
    return mb_layer_passed(mb_layer_of(api), mb_allocator_reset(base_of(api)));
}

static size_t forward_usable_size(const struct mb_allocator *api, const void *p) {
    return mb_allocator_usable_size(base_of(api), p);
}

static size_t forward_capacity(const struct mb_allocator *api) { return mb_allocator_capacity(base_of(api)); }

static bool forward_owns(const struct mb_allocator *api, const void *p) { return mb_allocator_owns(base_of(api), p); }

static uint64_t all_corruption_events(const struct mb_allocator *api) {
    uint64_t mine = __atomic_load_n(&mb_layer_of(api)->damage, __ATOMIC_RELAXED);
    return mine + mb_allocator_corruption_events(base_of(api));
}

static enum mb_error last_error(const struct mb_allocator *api) {
    return __atomic_load_n(&mb_layer_of(api)->error, __ATOMIC_RELAXED);
}

static enum mb_error forward_drop(struct mb_allocator *api) { return mb_layer_drop_base(mb_layer_of(api)); }

static void *range_base(const struct mb_allocator *api) { return base_of(api)->table->range->base(base_of(api)); }

static size_t range_size(const struct mb_allocator *api) { return base_of(api)->table->range->size(base_of(api)); }

static enum mb_error range_commit(struct mb_allocator *api, size_t offset, size_t bytes) {
    return mb_layer_passed(mb_layer_of(api), base_of(api)->table->range->commit(base_of(api), offset, bytes));
}

static enum mb_error range_release_pages(struct mb_allocator *api, void *p, size_t bytes) {
    return mb_layer_passed(mb_layer_of(api), base_of(api)->table->range->release_pages(base_of(api), p, bytes));
}

static enum mb_error range_protect(struct mb_allocator *api, void *p, size_t bytes, unsigned access) {
    return mb_layer_passed(mb_layer_of(api), base_of(api)->table->range->protect(base_of(api), p, bytes, access));
}

// --- making a layer --------------------------------------------------------------------------------------------------

#define FORWARD_UNLESS_CHANGED(table, operation) \
    if ((table)->operation == NULL) (table)->operation = forward_##operation

static void fill_table(struct mb_allocator_table *table) {
    FORWARD_UNLESS_CHANGED(table, allocate);
    FORWARD_UNLESS_CHANGED(table, allocate_zeroed);
    FORWARD_UNLESS_CHANGED(table, deallocate);
    FORWARD_UNLESS_CHANGED(table, grow);
    FORWARD_UNLESS_CHANGED(table, shrink);
    FORWARD_UNLESS_CHANGED(table, reset);
    FORWARD_UNLESS_CHANGED(table, usable_size);
    FORWARD_UNLESS_CHANGED(table, capacity);
    FORWARD_UNLESS_CHANGED(table, owns);
    FORWARD_UNLESS_CHANGED(table, drop);
    table->corruption_events = all_corruption_events;
    table->last_error = last_error;
}

static void fill_range(struct mb_range_table *range, const struct mb_range_table *below) {
    range->base = range_base;
    range->size = range_size;
    range->commit = below->commit != NULL ? range_commit : NULL;
    range->release_pages = below->release_pages != NULL ? range_release_pages : NULL;
    range->protect = below->protect != NULL ? range_protect : NULL;
}

void mb_layer_init(struct mb_layer *layer, const struct mb_allocator_table *changed, struct mb_allocator *base,
                   enum mb_policy policy) {
    memset(layer, 0, sizeof *layer);
    layer->base = base;
    layer->policy = policy;
    layer->lock.rank = MB_RANK_LAYER;
    layer->table = *changed;
    layer->table.traits = changed->traits & base->table->traits;
    fill_table(&layer->table);
    if ((layer->table.traits & MB_TRAIT_RANGE) != 0) {
        fill_range(&layer->range, base->table->range);
        layer->table.range = &layer->range;
    }
    layer->api.table = &layer->table;
}

bool mb_config_read(const void *given, void *out, size_t known, size_t least) {
    size_t size;
    memcpy(&size, given, sizeof size);
    if (size < least) return false;
    memset(out, 0, known);
    memcpy(out, given, mb_min(size, known));
    for (size_t i = known; i < size; i++) {
        if (((const char *)given)[i] != 0) return false;
    }
    return true;
}

// --- what layers do --------------------------------------------------------------------------------------------------

static void log_line(const char *what, const void *p) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: ");
    mb_line_text(&line, what);
    mb_line_text(&line, ": ");
    mb_line_hex(&line, (uintptr_t)p);
    mb_line_write(&line, STANDARD_ERROR);
}

MB_COLD enum mb_error mb_layer_report(struct mb_layer *layer, enum mb_error error, const char *what, const void *p) {
    if (layer->policy == MB_POLICY_ABORT) mb_fatal(what, p);
    if (layer->policy == MB_POLICY_LOG) log_line(what, p);
    if (error == MB_CORRUPT || error == MB_DOUBLE_FREE) __atomic_fetch_add(&layer->damage, 1, __ATOMIC_RELAXED);
    return mb_layer_fail(layer, error);
}

enum mb_error mb_layer_judge(const struct mb_layer *layer, const void *p, size_t bytes) {
    if (mb_allocator_can(layer->base, MB_TRAIT_OWNS) && !mb_allocator_owns(layer->base, p)) return MB_BAD_POINTER;
    if (!mb_allocator_can(layer->base, MB_TRAIT_SIZES)) return MB_OK;
    size_t usable = mb_allocator_usable_size(layer->base, p);
    if (usable == 0) return MB_BAD_POINTER;
    return bytes <= usable ? MB_OK : MB_BAD_SIZE;
}

void *mb_layer_move(struct mb_layer *layer, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    void *fresh = mb_allocator_allocate(&layer->api, new_bytes, align);
    if (fresh == NULL) return NULL;
    memcpy(fresh, p, mb_min(old_bytes, new_bytes));
    if (mb_allocator_deallocate(&layer->api, p, old_bytes) == MB_OK) return fresh;
    enum mb_error error = layer->error; // the old block is damaged or no block: it stays as it is
    mb_allocator_deallocate(&layer->api, fresh, new_bytes);
    mb_layer_fail(layer, error);
    return NULL;
}

enum mb_error mb_layer_drop_base(struct mb_layer *layer) {
    return mb_layer_passed(layer, mb_allocator_drop(layer->base));
}
