#include "core/harden/canary.h"

#include <string.h>

#include "platform/os.h"

static struct mb_canary *self_of(const struct mb_allocator *api) { return (struct mb_canary *)mb_layer_of(api); }

// bytes <= PTRDIFF_MAX: no overflow, and what is too much the base refuses.
static size_t with_canary(size_t bytes) { return bytes + MB_CANARY_BYTES; }

// --- judging ---------------------------------------------------------------------------------------------------------

struct verdict {
    enum mb_error error;
    const char *what;
    const void *where;
};

static struct verdict judge_locked(const struct mb_canary *self, uint32_t index, void *p, size_t bytes) {
    if (index == MB_BLOCK_NONE) return (struct verdict){MB_BAD_POINTER, "invalid free", p};
    size_t asked = self->ledger.live.blocks[index].bytes;
    if (!mb_canary_intact(&self->key, p, asked))
        return (struct verdict){MB_CORRUPT, "block overflow", (char *)p + asked};
    if (bytes != asked) return (struct verdict){MB_BAD_SIZE, "free with a wrong size", p};
    return (struct verdict){MB_OK, NULL, NULL};
}

// Takes a sound block out of the ledger, its room kept; else reports why not.
static enum mb_error take(struct mb_canary *self, void *p, size_t bytes) {
    mb_layer_lock(&self->layer);
    uint32_t index = mb_block_table_find(&self->ledger.live, (uintptr_t)p);
    struct verdict verdict = judge_locked(self, index, p, bytes);
    if (verdict.error == MB_OK) mb_ledger_take_locked(&self->ledger, index);
    mb_layer_unlock(&self->layer);
    if (MB_LIKELY(verdict.error == MB_OK)) return MB_OK;
    return mb_layer_report(&self->layer, verdict.error, verdict.what, verdict.where);
}

// --- operations ------------------------------------------------------------------------------------------------------

static void *keep(struct mb_canary *self, void *p, size_t bytes) {
    mb_canary_write(&self->key, p, bytes);
    mb_ledger_keep(&self->layer, &self->ledger, p, bytes, 0);
    return p;
}

static void *keep_or_withdraw(struct mb_canary *self, void *p, size_t bytes) {
    if (MB_LIKELY(p != NULL)) return keep(self, p, bytes);
    mb_ledger_withdraw(&self->layer, &self->ledger);
    return mb_layer_passed_block(&self->layer, NULL);
}

static void *allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_canary *self = self_of(api);
    if (mb_ledger_promise(&self->layer, &self->ledger) != MB_OK) return NULL;
    return keep_or_withdraw(self, mb_allocator_allocate(self->layer.base, with_canary(bytes), align), bytes);
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_canary *self = self_of(api);
    if (mb_ledger_promise(&self->layer, &self->ledger) != MB_OK) return NULL;
    return keep_or_withdraw(self, mb_allocator_allocate_zeroed(self->layer.base, with_canary(bytes), align), bytes);
}

static enum mb_error deallocate(struct mb_allocator *api, void *p, size_t bytes) {
    struct mb_canary *self = self_of(api);
    enum mb_error error = take(self, p, bytes);
    if (error != MB_OK) return error;
    error = mb_allocator_deallocate(self->layer.base, p, with_canary(bytes));
    if (MB_LIKELY(error == MB_OK)) mb_ledger_withdraw(&self->layer, &self->ledger);
    else keep(self, p, bytes);
    return mb_layer_passed(&self->layer, error);
}

// The block under its new size, or as it was.
static void *note_resize(struct mb_canary *self, void *p, void *resized, size_t old_bytes, size_t new_bytes) {
    if (resized != NULL) return keep(self, resized, new_bytes);
    keep(self, p, old_bytes);
    return mb_layer_passed_block(&self->layer, NULL);
}

static void *grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_canary *self = self_of(api);
    if (take(self, p, old_bytes) != MB_OK) return NULL;
    void *grown = mb_allocator_grow(self->layer.base, p, with_canary(old_bytes), with_canary(new_bytes), align);
    return note_resize(self, p, grown, old_bytes, new_bytes);
}

static void *shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_canary *self = self_of(api);
    if (take(self, p, old_bytes) != MB_OK) return NULL;
    void *shrunk = mb_allocator_shrink(self->layer.base, p, with_canary(old_bytes), with_canary(new_bytes), align);
    return note_resize(self, p, shrunk, old_bytes, new_bytes);
}

static size_t usable_size(const struct mb_allocator *api, const void *p) {
    struct mb_canary *self = self_of(api);
    mb_layer_lock(&self->layer);
    uint32_t index = mb_block_table_find(&self->ledger.live, (uintptr_t)p);
    size_t bytes = index != MB_BLOCK_NONE ? self->ledger.live.blocks[index].bytes : 0;
    mb_layer_unlock(&self->layer);
    return bytes;
}

// --- all blocks ------------------------------------------------------------------------------------------------------

static bool is_intact(const struct mb_canary *self, uint32_t index) {
    const struct mb_known_block *block = &self->ledger.live.blocks[index];
    return mb_canary_intact(&self->key, (void *)block->at, block->bytes);
}

size_t mb_canary_damaged(struct mb_canary *self) {
    size_t damaged = 0;
    mb_layer_lock(&self->layer);
    for (uint32_t i = 0; i < self->ledger.live.count; i++) damaged += !is_intact(self, i);
    mb_layer_unlock(&self->layer);
    return damaged;
}

size_t mb_canary_walk(struct mb_canary *self, mb_block_visitor *visit, void *context) {
    uint32_t visited = 0;
    bool on = true;
    mb_layer_lock(&self->layer);
    while (on && visited < self->ledger.live.count) {
        const struct mb_known_block *block = &self->ledger.live.blocks[visited++];
        on = visit(context, (void *)block->at, block->bytes);
    }
    mb_layer_unlock(&self->layer);
    return visited;
}

// After a drop that was refused halfway the base may have lost its blocks already.
static bool is_gone(const struct mb_canary *self, const struct mb_known_block *block) {
    const struct mb_allocator *base = self->layer.base;
    return mb_allocator_can(base, MB_TRAIT_OWNS) && !mb_allocator_owns(base, (void *)block->at);
}

static void report_damaged(struct mb_canary *self) {
    for (uint32_t i = 0; i < self->ledger.live.count; i++) {
        const struct mb_known_block *block = &self->ledger.live.blocks[i];
        if (is_gone(self, block) || is_intact(self, i)) continue;
        mb_layer_report(&self->layer, MB_CORRUPT, "block overflow", (char *)block->at + block->bytes);
    }
}

static enum mb_error reset(struct mb_allocator *api) {
    struct mb_canary *self = self_of(api);
    if (mb_allocator_can(api, MB_TRAIT_RESETS)) report_damaged(self); // the last chance to see them
    enum mb_error error = mb_allocator_reset(self->layer.base);
    if (error == MB_OK) mb_block_table_clear(&self->ledger.live);
    return mb_layer_passed(&self->layer, error);
}

static enum mb_error drop(struct mb_allocator *api) {
    struct mb_canary *self = self_of(api);
    report_damaged(self);
    enum mb_error error = mb_layer_drop_base(&self->layer);
    if (error != MB_OK) return error;
    mb_block_table_clear(&self->ledger.live); // the next call, if this is refused, has nothing to look at
    return mb_block_table_drop(&self->ledger.live);
}

// --- making ----------------------------------------------------------------------------------------------------------

static const struct mb_allocator_table CHANGED = {
    .traits = ~UINT32_C(0),
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = grow,
    .shrink = shrink,
    .reset = reset,
    .usable_size = usable_size,
    .drop = drop,
};

enum mb_error mb_canary_init(struct mb_canary *self, const struct mb_canary_config *given, enum mb_policy policy,
                             struct mb_allocator *base) {
    struct mb_canary_config config;
    if (!mb_config_read(given, &config, sizeof config, sizeof config)) return MB_BAD_CONFIG;
    memset(self, 0, sizeof *self);
    mb_layer_init(&self->layer, &CHANGED, base, policy);
    self->layer.table.traits |= MB_TRAIT_SIZES;
    mb_ledger_init(&self->ledger);
    mb_os_random(&self->key, sizeof self->key);
    return MB_OK;
}
