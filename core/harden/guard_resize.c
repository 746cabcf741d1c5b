#include "core/harden/guard_block.h"

#include <string.h>

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
    struct mb_guard_span span = mb_guard_span_of(self, block);
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

void *mb_guard_grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_guard *self = mb_guard_of(api);
    struct mb_known_block block;
    if (mb_guard_look_up(self, p, &block))
        return mb_guard_judge(self, &block, old_bytes) == MB_OK ? move(self, &block, new_bytes, align) : NULL;
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
        struct mb_guard_span span = mb_guard_span_of(self, &block);
        mb_guard_fill_around(&span);
    }
    mb_layer_unlock(&self->layer);
    return index != MB_BLOCK_NONE ? p : NULL;
}

void *mb_guard_shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_guard *self = mb_guard_of(api);
    struct mb_known_block block;
    if (!mb_guard_look_up(self, p, &block)) {
        if (self->one_in == 1) return mb_layer_report(&self->layer, MB_BAD_POINTER, "invalid shrink", p), NULL;
        return mb_layer_passed_block(&self->layer, mb_allocator_shrink(self->layer.base, p, old_bytes, new_bytes, align));
    }
    if (mb_guard_judge(self, &block, old_bytes) != MB_OK) return NULL;
    void *moved = move(self, &block, new_bytes, align);
    if (moved != NULL || !mb_is_aligned((uintptr_t)p, align)) return moved;
    return shrink_in_place(self, p, new_bytes);
}
