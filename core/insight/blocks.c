// What: see core/told/public.h: finds out what an address is (mb_block_info), and calls a function for every live
// block.
// Who: any thread.
#include "core/insight/blocks.h"

#include <stdint.h>

#include "core/guarded/guarded.h"
#include "core/large/large_keep.h"
#include "core/large/outside.h"
#include "core/layout/slab.h"
#include "core/region/arena.h"
#include "core/region/large_record.h"

static const void *thread_of(const struct mb_unit *unit) { return MB_PEEK(unit->slab.owner); }

static void describe_small(const struct mb_unit *unit, uint32_t index, struct mb_block_info *out) {
    out->base = mb_slab_block(unit, index);
    out->usable_bytes = MB_PEEK(unit->slab.block_bytes);
    out->kind = MB_KIND_SMALL;
    out->live = !mb_slab_is_free(unit, index);
    out->thread = thread_of(unit);
}

static void describe_large(const struct mb_slab *large, struct mb_block_info *out) {
    out->base = mb_large_start(large);
    out->usable_bytes = MB_PEEK(large->large_bytes);
    out->kind = MB_KIND_LARGE;
    out->live = !mb_large_is_kept(large);
    out->thread = MB_PEEK(large->owner);
}

static bool find_small(const struct mb_unit *unit, const void *p, struct mb_block_info *out) {
    uint32_t bytes = MB_PEEK(unit->slab.block_bytes);
    if (bytes == 0 || mb_unit_offset(p) / bytes >= MB_PEEK(unit->slab.carved)) return false;
    describe_small(unit, mb_unit_offset(p) / bytes, out);
    return true;
}

static bool find_large(const void *p, struct mb_block_info *out) {
    const struct mb_slab *large = mb_large_around(p);
    if (large == NULL) return false;
    describe_large(large, out);
    return (uintptr_t)p - (uintptr_t)out->base < out->usable_bytes;
}

struct outside_search {
    const void *p;
    struct mb_block_info *out;
    bool found;
};

static void describe_outside(uintptr_t block, size_t bytes, struct mb_block_info *out) {
    out->base = (const void *)block;
    out->usable_bytes = bytes;
    out->kind = MB_KIND_LARGE;
    out->live = 1;
    out->thread = NULL;
}

static void look_outside(void *context, uintptr_t block, size_t bytes) {
    struct outside_search *search = context;
    if ((uintptr_t)search->p - block >= bytes) return;
    describe_outside(block, bytes, search->out);
    search->found = true;
}

bool mb_block_find(const void *p, struct mb_block_info *out) {
    *out = (struct mb_block_info){.size = sizeof *out};
    if (mb_space_contains(p)) {
        const struct mb_unit *unit = mb_unit_of(p);
        bool small = mb_unit_kind(unit) == MB_UNIT_SLAB;
        if (small ? find_small(unit, p, out) : find_large(p, out)) return true;
        *out = (struct mb_block_info){.size = sizeof *out};
    }
    struct outside_search search = {p, out, false};
    mb_outside_visit(look_outside, &search);
    mb_guarded_visit(look_outside, &search);
    return search.found;
}

// --- all ------------------------------------------------------------------------------------------------------------

static int visit_slab(const struct mb_unit *unit, mb_block_visitor *visit, void *context) {
    uint32_t carved = MB_PEEK(unit->slab.carved);
    for (uint32_t i = 0; i < carved; i++) {
        struct mb_block_info block = {.size = sizeof block};
        describe_small(unit, i, &block);
        int result = block.live ? visit(context, &block) : 0;
        if (result != 0) return result;
    }
    return 0;
}

static int visit_large(struct mb_unit *unit, mb_block_visitor *visit, void *context) {
    int result = 0;
    for (uint32_t half = 0; half < MB_UNIT_BYTES && result == 0; half += MB_UNIT_BYTES / 2) {
        const struct mb_slab *large = mb_large_in_half(unit, half);
        struct mb_block_info block = {.size = sizeof block};
        if (large == NULL) continue;
        describe_large(large, &block);
        if (block.live) result = visit(context, &block);
    }
    return result;
}

struct outside_visit {
    mb_block_visitor *visit;
    void *context;
    int result;
};

static void visit_one_outside(void *context, uintptr_t address, size_t bytes) {
    struct outside_visit *v = context;
    struct mb_block_info block = {.size = sizeof block};
    describe_outside(address, bytes, &block);
    if (v->result == 0) v->result = v->visit(v->context, &block);
}

int mb_blocks_each(mb_block_visitor *visit, void *context) {
    size_t end = mb_arena_units();
    for (size_t i = 0; i < end; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        enum mb_unit_kind kind = mb_unit_kind(unit);
        int result = kind == MB_UNIT_SLAB ? visit_slab(unit, visit, context) : visit_large(unit, visit, context);
        if (result != 0) return result;
    }
    struct outside_visit v = {visit, context, 0};
    mb_outside_visit(visit_one_outside, &v);
    mb_guarded_visit(visit_one_outside, &v);
    return v.result;
}
