#include "core/harden/guard.h"

#include <string.h>

#include "core/base/rng.h"
#include "core/harden/guard_block.h"
#include "platform/os.h"

// --- allocating ------------------------------------------------------------------------------------------------------

static uint64_t next_request(struct mb_guard *self) {
    if (mb_allocator_can(&self->layer.api, MB_TRAIT_SHARED)) return __atomic_fetch_add(&self->requests, 1, __ATOMIC_RELAXED);
    return self->requests++;
}

static bool is_chosen(struct mb_guard *self) {
    if (self->one_in == 1) return true;
    return mb_mix64(self->seed + next_request(self) * MB_RNG_STEP) < UINT64_MAX / self->one_in;
}

static void *take_spare(struct mb_guard *self, size_t bytes, size_t align) {
    void *p = NULL;
    mb_layer_lock(&self->layer);
    if (self->spare.bytes == bytes && mb_is_aligned((uintptr_t)self->spare.p, align)) {
        p = self->spare.p;
        self->spare = (struct mb_guard_spare){NULL, 0};
    }
    mb_layer_unlock(&self->layer);
    return p;
}

static void give_up(struct mb_guard *self, void *p, size_t bytes) {
    mb_allocator_deallocate(self->layer.base, p, bytes);
    if (mb_allocator_can(self->layer.base, MB_TRAIT_FREES)) return;
    mb_layer_lock(&self->layer);
    if (self->spare.bytes < bytes) self->spare = (struct mb_guard_spare){p, bytes};
    mb_layer_unlock(&self->layer);
}

static char *take_span(struct mb_guard *self, size_t bytes, size_t align, bool zeroed) {
    char *start = take_spare(self, bytes, align);
    if (start != NULL && zeroed) memset(start, 0, bytes);
    if (start != NULL) return start;
    return zeroed ? mb_allocator_allocate_zeroed(self->layer.base, bytes, align)
                  : mb_allocator_allocate(self->layer.base, bytes, align);
}

// With room promised in the ledger.
static void *make_guarded(struct mb_guard *self, size_t bytes, size_t align, bool zeroed) {
    size_t page = self->pages.page, all = mb_align_up(bytes, page) + page;
    enum mb_guard_kind kind;
    char *start = take_span(self, all, mb_max(align, page), zeroed);
    if (start == NULL) return mb_layer_passed_block(&self->layer, NULL);
    char *guard = start + all - page;
    enum mb_error error = mb_guard_put_up(&self->pages, guard, &kind);
    if (error != MB_OK) {
        give_up(self, start, all);
        mb_layer_fail(&self->layer, error);
        return NULL;
    }
    char *p = (char *)mb_align_down((uintptr_t)guard - bytes, align);
    struct mb_guard_span span = {start, p, p + bytes, guard, all, kind};
    mb_guard_fill_around(&span);
    mb_ledger_keep(&self->layer, &self->ledger, p, bytes, all | kind);
    return p;
}

static void *allocate_guarded(struct mb_guard *self, size_t bytes, size_t align, bool zeroed) {
    if (mb_ledger_promise(&self->layer, &self->ledger) != MB_OK) return NULL;
    void *p = make_guarded(self, bytes, align, zeroed);
    if (p == NULL) mb_ledger_withdraw(&self->layer, &self->ledger);
    return p;
}

static void *allocate(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_guard *self = mb_guard_of(api);
    if (is_chosen(self)) return allocate_guarded(self, bytes, align, false);
    return mb_layer_passed_block(&self->layer, mb_allocator_allocate(self->layer.base, bytes, align));
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_guard *self = mb_guard_of(api);
    if (is_chosen(self)) return allocate_guarded(self, bytes, align, true);
    return mb_layer_passed_block(&self->layer, mb_allocator_allocate_zeroed(self->layer.base, bytes, align));
}

// --- freeing ---------------------------------------------------------------------------------------------------------

bool mb_guard_look_up(struct mb_guard *self, const void *p, struct mb_known_block *out) {
    mb_layer_lock(&self->layer);
    uint32_t index = mb_block_table_find(&self->ledger.live, (uintptr_t)p);
    if (index != MB_BLOCK_NONE) *out = self->ledger.live.blocks[index];
    mb_layer_unlock(&self->layer);
    return index != MB_BLOCK_NONE;
}

// The lock keeps the block in the ledger, and so its pages accessible.
enum mb_error mb_guard_judge(struct mb_guard *self, const struct mb_known_block *block, size_t bytes) {
    const void *p = (void *)block->at;
    mb_layer_lock(&self->layer);
    bool there = mb_block_table_find(&self->ledger.live, block->at) != MB_BLOCK_NONE, intact = there && mb_guard_is_intact(self, block);
    mb_layer_unlock(&self->layer);
    if (!there) return mb_layer_report(&self->layer, MB_DOUBLE_FREE, "double free", p);
    if (!intact) return mb_layer_report(&self->layer, MB_CORRUPT, "write around a guarded block", p);
    return bytes == block->bytes ? MB_OK : mb_layer_report(&self->layer, MB_BAD_SIZE, "free with a wrong size", p);
}

// Only one of two threads that free the same block gets it.
static enum mb_error take(struct mb_guard *self, void *p) {
    mb_layer_lock(&self->layer);
    uint32_t index = mb_block_table_find(&self->ledger.live, (uintptr_t)p);
    if (index != MB_BLOCK_NONE) mb_ledger_take_locked(&self->ledger, index);
    mb_layer_unlock(&self->layer);
    return index != MB_BLOCK_NONE ? MB_OK : mb_layer_report(&self->layer, MB_DOUBLE_FREE, "double free", p);
}

static enum mb_error free_guarded(struct mb_guard *self, const struct mb_known_block *block) {
    struct mb_guard_span span = mb_guard_span_of(self, block);
    enum mb_error error = take(self, span.p);
    if (error != MB_OK) return error;
    error = mb_guard_take_down(&self->pages, span.guard, span.kind);
    if (error == MB_OK) {
        error = mb_allocator_deallocate(self->layer.base, span.start, span.bytes);
        if (error != MB_OK) mb_guard_put_up(&self->pages, span.guard, &span.kind);
    }
    if (error == MB_OK) mb_ledger_withdraw(&self->layer, &self->ledger);
    else mb_ledger_keep(&self->layer, &self->ledger, span.p, block->bytes, span.bytes | span.kind);
    return mb_layer_passed(&self->layer, error);
}

static enum mb_error free_unguarded(struct mb_guard *self, void *p, size_t bytes) {
    if (self->one_in == 1) return mb_layer_report(&self->layer, MB_BAD_POINTER, "invalid free", p);
    return mb_layer_passed(&self->layer, mb_allocator_deallocate(self->layer.base, p, bytes));
}

static enum mb_error deallocate(struct mb_allocator *api, void *p, size_t bytes) {
    struct mb_guard *self = mb_guard_of(api);
    struct mb_known_block block;
    if (!mb_guard_look_up(self, p, &block)) return free_unguarded(self, p, bytes);
    enum mb_error error = mb_guard_judge(self, &block, bytes);
    if (error != MB_OK || !mb_allocator_can(api, MB_TRAIT_FREES)) return error; // stays until the reset, guard and all
    return free_guarded(self, &block);
}

// --- the rest --------------------------------------------------------------------------------------------------------

static size_t usable_size(const struct mb_allocator *api, const void *p) {
    struct mb_guard *self = mb_guard_of(api);
    struct mb_known_block block;
    if (mb_guard_look_up(self, p, &block)) return block.bytes;
    return self->one_in == 1 ? 0 : mb_allocator_usable_size(self->layer.base, p);
}

size_t mb_guard_damaged(struct mb_guard *self) {
    size_t damaged = 0;
    mb_layer_lock(&self->layer);
    for (uint32_t i = 0; i < self->ledger.live.count; i++) damaged += !mb_guard_is_intact(self, &self->ledger.live.blocks[i]);
    mb_layer_unlock(&self->layer);
    return damaged;
}

// Before the base forgets its blocks. Stops at the first guard that will not go: then nothing has been forgotten.
static enum mb_error take_all_down(struct mb_guard *self) {
    while (self->ledger.live.count != 0) {
        struct mb_known_block block = self->ledger.live.blocks[self->ledger.live.count - 1];
        struct mb_guard_span span = mb_guard_span_of(self, &block);
        if (!mb_guard_is_intact(self, &block))
            mb_layer_report(&self->layer, MB_CORRUPT, "write around a guarded block", span.p);
        enum mb_error error = mb_guard_take_down(&self->pages, span.guard, span.kind);
        if (error != MB_OK) return mb_layer_fail(&self->layer, error);
        mb_block_table_take(&self->ledger.live, self->ledger.live.count - 1);
    }
    return MB_OK;
}

static enum mb_error reset(struct mb_allocator *api) {
    struct mb_guard *self = mb_guard_of(api);
    enum mb_error error = MB_OK;
    if (mb_allocator_can(api, MB_TRAIT_RESETS)) error = take_all_down(self);
    if (error != MB_OK) return error;
    error = mb_allocator_reset(self->layer.base);
    if (error == MB_OK) self->spare = (struct mb_guard_spare){NULL, 0};
    return mb_layer_passed(&self->layer, error);
}

static enum mb_error drop(struct mb_allocator *api) {
    struct mb_guard *self = mb_guard_of(api);
    enum mb_error error = take_all_down(self);
    if (error == MB_OK) error = mb_layer_drop_base(&self->layer);
    return error == MB_OK ? mb_block_table_drop(&self->ledger.live) : error;
}

// --- making ----------------------------------------------------------------------------------------------------------

static const struct mb_allocator_table CHANGED = {
    .traits = ~UINT32_C(0),
    .allocate = allocate,
    .allocate_zeroed = allocate_zeroed,
    .deallocate = deallocate,
    .grow = mb_guard_grow,
    .shrink = mb_guard_shrink,
    .reset = reset,
    .usable_size = usable_size,
    .drop = drop,
};

enum mb_error mb_guard_init_tried(struct mb_guard *self, const struct mb_guard_config *given, enum mb_policy policy,
                                  struct mb_allocator *base) {
    struct mb_guard_config config;
    struct mb_guard_pages pages;
    if (!mb_config_read(given, &config, sizeof config, sizeof config) || config.one_in == 0) return MB_BAD_CONFIG;
    enum mb_error error = mb_guard_pages_init(&pages, base);
    if (error != MB_OK) return error;
    memset(self, 0, sizeof *self);
    mb_layer_init(&self->layer, &CHANGED, base, policy);
    mb_ledger_init(&self->ledger);
    self->pages = pages;
    self->one_in = config.one_in;
    mb_os_random(&self->seed, sizeof self->seed);
    return MB_OK;
}
