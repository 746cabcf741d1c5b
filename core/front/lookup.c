#include "core/front/lookup.h"

#include "core/front/malloc.h"
#include "core/large/outside.h"
#include "core/process/foreign.h"

static struct mb_block in_slab(enum mb_operation operation, struct mb_unit *unit, const void *p) {
    if (!mb_slab_is_block(unit, p)) mb_report_inside(operation, p);
    return (struct mb_block){MB_BLOCK_SLAB, unit, unit->slab.block_bytes};
}

bool mb_block_is_freed(const struct mb_block *block, const void *p) {
    switch (block->kind) {
    case MB_BLOCK_SLAB: return mb_slab_is_free(block->unit, mb_slab_index(block->unit, p));
    case MB_BLOCK_LARGE: return (MB_PEEK(block->unit->slab.large_flags) & MB_LARGE_KEPT) != 0;
    case MB_BLOCK_OUTSIDE:
    case MB_BLOCK_LIBC: break;
    }
    return false;
}

static struct mb_block in_arena(enum mb_operation operation, const void *p) {
    struct mb_unit *unit = mb_unit_of(p);
    switch (mb_unit_kind(unit)) {
    case MB_UNIT_SLAB: return in_slab(operation, unit, p);
    case MB_UNIT_LARGE:
        if ((uintptr_t)p % MB_UNIT_BYTES == 0) return (struct mb_block){MB_BLOCK_LARGE, unit, unit->slab.large_bytes};
        break;
    case MB_UNIT_HOLE: // the window has a foreign mapping in it
    case MB_UNIT_NONE: break;
    }
    if (mb_outside_bytes(p) != 0) return (struct mb_block){MB_BLOCK_OUTSIDE, NULL, mb_outside_bytes(p)};
    mb_report_inside(operation, p);
}

static struct mb_block beyond_arena(enum mb_operation operation, const void *p) {
    size_t bytes = mb_outside_bytes(p);
    if (bytes != 0) return (struct mb_block){MB_BLOCK_OUTSIDE, NULL, bytes};
    if (mb_foreign_is_libc_block(p)) return (struct mb_block){MB_BLOCK_LIBC, NULL, mb_foreign_usable_size(p)};
    mb_report_outside(operation, p);
}

struct mb_block mb_lookup(enum mb_operation operation, const void *p) {
    return mb_space_contains(p) ? in_arena(operation, p) : beyond_arena(operation, p);
}

struct mb_block mb_lookup_live(enum mb_operation operation, const void *p) {
    struct mb_block block = mb_lookup(operation, p);
    if (mb_block_is_freed(&block, p)) mb_report_freed(operation, p);
    return block;
}

bool mb_owns(const void *p) { return mb_space_contains(p) || mb_outside_contains(p); }

bool mb_is_block(const void *p) {
    if (!mb_space_contains(p)) return mb_outside_bytes(p) != 0;
    struct mb_unit *unit = mb_unit_of(p);
    enum mb_unit_kind kind = mb_unit_kind(unit);
    if (kind == MB_UNIT_LARGE) {
        return (uintptr_t)p % MB_UNIT_BYTES == 0 && (MB_PEEK(unit->slab.large_flags) & MB_LARGE_KEPT) == 0;
    }
    return kind == MB_UNIT_SLAB && mb_slab_is_block(unit, p) && !mb_slab_is_free(unit, mb_slab_index(unit, p));
}
