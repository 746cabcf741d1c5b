#include "core/harden/guard.h"

#include <string.h>

#include "core/base/rng.h"
#include "core/harden/poison_fill.h"
#include "platform/os.h"

static struct mb_guard *self_of(const struct mb_allocator *api) { return (struct mb_guard *)mb_layer_of(api); }

// --- the parts of a guarded block ------------------------------------------------------------------------------------

// What the ledger's `extra` holds: the bytes of the whole span, a multiple of the page, and the kind of its guard.
struct span {
    char *start, *p, *user_end, *guard;
    size_t bytes; // all of it, guard included
    enum mb_guard_kind kind;
};

static struct span span_of(const struct mb_guard *self, const struct mb_known_block *block) {
    size_t bytes = block->extra & ~(size_t)MB_GUARD_KINDS;
    char *p = (char *)block->at, *start = (char *)mb_align_down(block->at, self->pages.page);
    char *guard = start + bytes - self->pages.page;
    return (struct span){start, p, p + block->bytes, guard, bytes, block->extra & MB_GUARD_KINDS};
}

static void fill_around(const struct span *span) {
    mb_poison_fill(span->start, (size_t)(span->p - span->start));
    mb_poison_fill(span->user_end, (size_t)(span->guard - span->user_end));
}

static bool is_intact(const struct mb_guard *self, const struct mb_known_block *block) {
    struct span span = span_of(self, block);
    return mb_poison_intact(span.start, (size_t)(span.p - span.start)) &&
           mb_poison_intact(span.user_end, (size_t)(span.guard - span.user_end));
}

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
    struct span span = {start, p, p + bytes, guard, all, kind};
    fill_around(&span);
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
    struct mb_guard *self = self_of(api);
    if (is_chosen(self)) return allocate_guarded(self, bytes, align, false);
    return mb_layer_passed_block(&self->layer, mb_allocator_allocate(self->layer.base, bytes, align));
}

static void *allocate_zeroed(struct mb_allocator *api, size_t bytes, size_t align) {
    struct mb_guard *self = self_of(api);
    if (is_chosen(self)) return allocate_guarded(self, bytes, align, true);
    return mb_layer_passed_block(&self->layer, mb_allocator_allocate_zeroed(self->layer.base, bytes, align));
}

// --- freeing ---------------------------------------------------------------------------------------------------------

// Finds a block in the ledger and copies it out. False: it is not guarded.
static bool look_up(struct mb_guard *self, const void *p, struct mb_known_block *out) {
    mb_layer_lock(&self->layer);
    uint32_t index = mb_block_table_find(&self->ledger.live, (uintptr_t)p);
    if (index != MB_BLOCK_NONE) *out = self->ledger.live.blocks[index];
    mb_layer_unlock(&self->layer);
    return index != MB_BLOCK_NONE;
}

// Checks the memory around the block while the lock keeps the block in the ledger, and so its pages accessible.
static enum mb_error judge(struct mb_guard *self, const struct mb_known_block *block, size_t bytes) {
    const void *p = (void *)block->at;
    mb_layer_lock(&self->layer);
    bool there = mb_block_table_find(&self->ledger.live, block->at) != MB_BLOCK_NONE, intact = there && is_intact(self, block);
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
    struct span span = span_of(self, block);
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
    struct mb_guard *self = self_of(api);
    struct mb_known_block block;
    if (!look_up(self, p, &block)) return free_unguarded(self, p, bytes);
    enum mb_error error = judge(self, &block, bytes);
    if (error != MB_OK || !mb_allocator_can(api, MB_TRAIT_FREES)) return error; // stays until the reset, guard and all
    return free_guarded(self, &block);
}

// --- changing size ---------------------------------------------------------------------------------------------------

static void note_kind(struct mb_guard *self, const void *p, enum mb_guard_kind kind) {
    mb_layer_lock(&self->layer);
    uint32_t index = mb_block_table_find(&self->ledger.live, (uintptr_t)p);
    if (index != MB_BLOCK_NONE) {
        size_t *extra = &self->ledger.live.blocks[index].extra;
        *extra = (*extra & ~(size_t)MB_GUARD_KINDS) | kind;
    }
    mb_layer_unlock(&self->layer);
}

// The old guard goes first: afterwards nothing that the system may refuse stands between the copy and the end of the
// old block. Without memory for the new one it is put up again; if that is refused, too, the block lives on without.
static void *move(struct mb_guard *self, const struct mb_known_block *block, size_t new_bytes, size_t align) {
    struct span span = span_of(self, block);
    bool frees = mb_allocator_can(&self->layer.api, MB_TRAIT_FREES);
    enum mb_error error = frees ? mb_guard_take_down(&self->pages, span.guard, span.kind) : MB_OK;
    if (error != MB_OK) return mb_layer_fail(&self->layer, error), NULL;
    void *fresh = mb_allocator_allocate(&self->layer.api, new_bytes, align);
    if (!frees) return fresh != NULL ? memcpy(fresh, span.p, mb_min(block->bytes, new_bytes)) : NULL;
    if (fresh == NULL) mb_guard_put_up(&self->pages, span.guard, &span.kind);
    note_kind(self, span.p, fresh == NULL ? span.kind : MB_GUARD_NONE);
    if (fresh == NULL) return NULL;
    memcpy(fresh, span.p, mb_min(block->bytes, new_bytes));
    mb_allocator_deallocate(&self->layer.api, span.p, block->bytes);
    return fresh;
}

static void *grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_guard *self = self_of(api);
    struct mb_known_block block;
    if (look_up(self, p, &block))
        return judge(self, &block, old_bytes) == MB_OK ? move(self, &block, new_bytes, align) : NULL;
    if (self->one_in == 1) return mb_layer_report(&self->layer, MB_BAD_POINTER, "invalid grow", p), NULL;
    return mb_layer_passed_block(&self->layer, mb_allocator_grow(self->layer.base, p, old_bytes, new_bytes, align));
}

// Without memory for a move the block stays where it is, with poison between its new end and the guard.
static void *shrink_in_place(struct mb_guard *self, void *p, size_t new_bytes) {
    mb_layer_lock(&self->layer);
    uint32_t index = mb_block_table_find(&self->ledger.live, (uintptr_t)p);
    if (index != MB_BLOCK_NONE) {
        struct mb_known_block block = mb_block_table_take(&self->ledger.live, index);
        mb_block_table_add(&self->ledger.live, block.at, new_bytes, block.extra);
        block.bytes = new_bytes;
        struct span span = span_of(self, &block);
        fill_around(&span);
    }
    mb_layer_unlock(&self->layer);
    return index != MB_BLOCK_NONE ? p : NULL;
}

static void *shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_guard *self = self_of(api);
    struct mb_known_block block;
    if (!look_up(self, p, &block)) {
        if (self->one_in == 1) return mb_layer_report(&self->layer, MB_BAD_POINTER, "invalid shrink", p), NULL;
        return mb_layer_passed_block(&self->layer, mb_allocator_shrink(self->layer.base, p, old_bytes, new_bytes, align));
    }
    if (judge(self, &block, old_bytes) != MB_OK) return NULL;
    void *moved = move(self, &block, new_bytes, align);
    if (moved != NULL || !mb_is_aligned((uintptr_t)p, align)) return moved;
    return shrink_in_place(self, p, new_bytes);
}

// --- the rest --------------------------------------------------------------------------------------------------------

static size_t usable_size(const struct mb_allocator *api, const void *p) {
    struct mb_guard *self = self_of(api);
    struct mb_known_block block;
    if (look_up(self, p, &block)) return block.bytes;
    return self->one_in == 1 ? 0 : mb_allocator_usable_size(self->layer.base, p);
}

size_t mb_guard_damaged(struct mb_guard *self) {
    size_t damaged = 0;
    mb_layer_lock(&self->layer);
    for (uint32_t i = 0; i < self->ledger.live.count; i++) damaged += !is_intact(self, &self->ledger.live.blocks[i]);
    mb_layer_unlock(&self->layer);
    return damaged;
}

// Before the base forgets its blocks. Stops at the first guard that will not go: then nothing has been forgotten.
static enum mb_error take_all_down(struct mb_guard *self) {
    while (self->ledger.live.count != 0) {
        struct mb_known_block block = self->ledger.live.blocks[self->ledger.live.count - 1];
        struct span span = span_of(self, &block);
        if (!is_intact(self, &block))
            mb_layer_report(&self->layer, MB_CORRUPT, "write around a guarded block", span.p);
        enum mb_error error = mb_guard_take_down(&self->pages, span.guard, span.kind);
        if (error != MB_OK) return mb_layer_fail(&self->layer, error);
        mb_block_table_take(&self->ledger.live, self->ledger.live.count - 1);
    }
    return MB_OK;
}

static enum mb_error reset(struct mb_allocator *api) {
    struct mb_guard *self = self_of(api);
    enum mb_error error = MB_OK;
    if (mb_allocator_can(api, MB_TRAIT_RESETS)) error = take_all_down(self);
    if (error != MB_OK) return error;
    error = mb_allocator_reset(self->layer.base);
    if (error == MB_OK) self->spare = (struct mb_guard_spare){NULL, 0};
    return mb_layer_passed(&self->layer, error);
}

static enum mb_error drop(struct mb_allocator *api) {
    struct mb_guard *self = self_of(api);
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
    .grow = grow,
    .shrink = shrink,
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
