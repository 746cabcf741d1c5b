#include "core/front/lookup.h"

#include "core/front/fault.h"
#include "core/front/malloc.h"
#include "core/guarded/guarded.h"
#include "core/hardened/hardened.h"
#include "core/large/large_keep.h"
#include "core/large/outside.h"
#include "core/process/foreign.h"
#include "core/process/init.h"

static bool describe(struct mb_block *out, enum mb_block_kind kind, struct mb_unit *unit, size_t bytes) {
    *out = (struct mb_block){kind, unit, bytes};
    return true;
}

static bool outside(const void *p, struct mb_block *out) {
    size_t bytes = mb_guarded_bytes(p);
    if (bytes != 0) return describe(out, MB_BLOCK_GUARDED, NULL, bytes);
    bytes = mb_outside_bytes(p);
    return bytes != 0 && describe(out, MB_BLOCK_OUTSIDE, NULL, bytes);
}

static bool in_arena(const void *p, struct mb_block *out) {
    struct mb_unit *unit = mb_unit_of(p);
    if (mb_unit_kind(unit) == MB_UNIT_SLAB) return mb_slab_is_block(unit, p) && describe(out, MB_BLOCK_SLAB, unit, unit->slab.block_bytes);
    const struct mb_slab *large = mb_large_at(unit, mb_unit_offset(p));
    if (large != NULL) return describe(out, MB_BLOCK_LARGE, unit, MB_PEEK(large->large_bytes));
    return outside(p, out); // the window may have a foreign mapping in it
}

bool mb_lookup_any(const void *p, struct mb_block *out) {
    if (mb_space_contains(p)) return in_arena(p, out);
    return outside(p, out) ||
           (!mb_guarded_contains(p) && mb_foreign_is_libc_block(p) && describe(out, MB_BLOCK_LIBC, NULL, mb_foreign_usable_size(p)));
}

static const struct mb_block NO_BLOCK = {MB_BLOCK_NONE, NULL, 0};

MB_COLD static struct mb_block report(enum mb_operation operation, const void *p) {
    struct mb_outside_block around = mb_outside_block_of(p);
    if (mb_guarded_contains(p))
        mb_guarded_report(operation, p);
    else if (mb_space_contains(p) && around.start == NULL)
        mb_report_inside(operation, p);
    else
        mb_report_outside(operation, p, around.start, around.bytes);
    return NO_BLOCK;
}

struct mb_block mb_lookup(enum mb_operation operation, const void *p) {
    struct mb_block block;
    return mb_lookup_any(p, &block) ? block : report(operation, p);
}

bool mb_block_is_freed(const struct mb_block *block, const void *p) {
    switch (block->kind) {
    case MB_BLOCK_SLAB: return mb_slab_is_free(block->unit, mb_slab_index(block->unit, p));
    case MB_BLOCK_LARGE: return mb_large_is_kept(mb_large_of_piece(mb_piece_of(p)));
    case MB_BLOCK_NONE:
    case MB_BLOCK_GUARDED:
    case MB_BLOCK_OUTSIDE:
    case MB_BLOCK_LIBC: break;
    }
    return false;
}

MB_COLD enum mb_fault mb_block_fault(const struct mb_block *block, const void *p) {
    if (block->kind != MB_BLOCK_SLAB) return MB_FAULT_FREED;
    return mb_fault_of_free_block(block->unit, mb_slab_index(block->unit, p));
}

struct mb_block mb_lookup_live(enum mb_operation operation, const void *p) {
    struct mb_block block = mb_lookup(operation, p);
    if (MB_LIKELY(!mb_block_is_freed(&block, p))) return block;
    mb_report_block(operation, mb_block_fault(&block, p), p);
    return NO_BLOCK;
}

bool mb_owns(const void *p) { return mb_space_contains(p) || mb_outside_contains(p) || mb_guarded_contains(p); }

bool mb_is_block(const void *p) {
    if (mb_is_hardened()) return mb_hard_calls.is_block(p);
    if (!mb_space_contains(p)) return mb_guarded_bytes(p) != 0 || mb_outside_bytes(p) != 0;
    struct mb_unit *unit = mb_unit_of(p);
    const struct mb_slab *large = mb_large_at(unit, mb_unit_offset(p));
    if (large != NULL) return !mb_large_is_kept(large);
    return mb_unit_kind(unit) == MB_UNIT_SLAB && mb_slab_is_block(unit, p) && !mb_slab_is_free(unit, mb_slab_index(unit, p));
}
