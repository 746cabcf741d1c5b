// The parts of a guarded block, and what guard.c and guard_resize.c share. Internal to the guard layer.
//
// Who: as the guard layer (core/harden/guard.h).
#ifndef MB_CORE_HARDEN_GUARD_BLOCK_H
#define MB_CORE_HARDEN_GUARD_BLOCK_H

#include "core/harden/guard.h"
#include "core/harden/poison_fill.h"

MB_INLINE struct mb_guard *mb_guard_of(const struct mb_allocator *api) { return (struct mb_guard *)mb_layer_of(api); }

// What the ledger's `extra` holds: the bytes of the whole span, a multiple of the page, and the kind of its guard.
struct mb_guard_span {
    char *start, *p, *user_end, *guard;
    size_t bytes; // all of it, guard included
    enum mb_guard_kind kind;
};

MB_INLINE struct mb_guard_span mb_guard_span_of(const struct mb_guard *self, const struct mb_known_block *block) {
    size_t bytes = block->extra & ~(size_t)MB_GUARD_KINDS;
    char *p = (char *)block->at, *start = (char *)mb_align_down(block->at, self->pages.page);
    char *guard = start + bytes - self->pages.page;
    return (struct mb_guard_span){start, p, p + block->bytes, guard, bytes, block->extra & MB_GUARD_KINDS};
}

MB_INLINE void mb_guard_fill_around(const struct mb_guard_span *span) {
    mb_poison_fill(span->start, (size_t)(span->p - span->start));
    mb_poison_fill(span->user_end, (size_t)(span->guard - span->user_end));
}

MB_INLINE bool mb_guard_is_intact(const struct mb_guard *self, const struct mb_known_block *block) {
    struct mb_guard_span span = mb_guard_span_of(self, block);
    return mb_poison_intact(span.start, (size_t)(span.p - span.start)) &&
           mb_poison_intact(span.user_end, (size_t)(span.guard - span.user_end));
}

// Finds a block in the ledger and copies it out. False: it is not guarded.
bool mb_guard_look_up(struct mb_guard *self, const void *p, struct mb_known_block *out);

// Checks the poison around the block and the size that its user names.
enum mb_error mb_guard_judge(struct mb_guard *self, const struct mb_known_block *block, size_t bytes);

// The layer's functions that change a block's size.
void *mb_guard_grow(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align);
void *mb_guard_shrink(struct mb_allocator *api, void *p, size_t old_bytes, size_t new_bytes, size_t align);

#endif
