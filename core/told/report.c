#include "core/told/report.h"

#include "core/base/check.h"
#include "core/layout/slab.h"
#include "core/region/arena.h"

enum fault { INTERIOR, NOT_A_BLOCK, MISALIGNED, NEVER_HANDED_OUT };

static const char *const TEXT[3][4] = {
    {"invalid free (interior pointer)", "invalid free (not a heap block)", "invalid free (misaligned pointer)",
     "invalid free (never handed out)"},
    {"invalid realloc (interior pointer)", "invalid realloc (not a heap block)", "invalid realloc (misaligned pointer)",
     "invalid realloc (never handed out)"},
    {"invalid usable_size (interior pointer)", "invalid usable_size (not a heap block)",
     "invalid usable_size (misaligned pointer)", "invalid usable_size (never handed out)"},
};

static enum fault fault_in_slab(const struct mb_unit *unit, const void *p) {
    uintptr_t offset = (uintptr_t)p - mb_slab_start(unit);
    uint32_t block_bytes = unit->slab.block_bytes;
    if (block_bytes == 0 || offset / block_bytes >= MB_PEEK(unit->slab.carved)) return NEVER_HANDED_OUT;
    return INTERIOR;
}

// The large block that covers the unit, if any: its first unit lies before.
static bool inside_large(const void *p) {
    size_t unit = mb_unit_index(mb_unit_of(p));
    for (size_t first = unit + 1; first > 0; first--) {
        const struct mb_unit *candidate = mb_unit_at(first - 1);
        enum mb_unit_kind kind = mb_unit_kind(candidate);
        if (kind == MB_UNIT_LARGE) return unit - (first - 1) < candidate->slab.large_units;
        if (kind != MB_UNIT_NONE || mb_arena_is_free(first - 1)) return false;
    }
    return false;
}

static enum fault fault_of(const void *p) {
    struct mb_unit *unit = mb_unit_of(p);
    switch (mb_unit_kind(unit)) {
    case MB_UNIT_SLAB: return fault_in_slab(unit, p);
    case MB_UNIT_LARGE: return INTERIOR;
    case MB_UNIT_HOLE: return NOT_A_BLOCK;
    case MB_UNIT_NONE: break;
    }
    return inside_large(p) ? INTERIOR : NEVER_HANDED_OUT;
}

// The start of a unit that was a large block's (its length is still written there), or whose pages have been used and not been
// given back since.
static bool may_have_been_large(const void *p) {
    const struct mb_unit *unit = mb_unit_of(p);
    if ((uintptr_t)p % MB_UNIT_BYTES != 0) return false;
    return MB_PEEK(unit->slab.large_bytes) != 0 || mb_arena_is_warm(mb_unit_index(unit));
}

MB_COLD _Noreturn void mb_report_inside(enum mb_operation operation, const void *p) {
    enum fault fault = fault_of(p);
    if (fault == NEVER_HANDED_OUT && may_have_been_large(p)) mb_report_freed(operation, p);
    if (fault == NEVER_HANDED_OUT && (uintptr_t)p % MB_GRANULE != 0) fault = MISALIGNED;
    mb_fatal(TEXT[operation][fault], p);
}

MB_COLD _Noreturn void mb_report_outside(enum mb_operation operation, const void *p) {
    mb_fatal(TEXT[operation][(uintptr_t)p % MB_GRANULE != 0 ? MISALIGNED : NOT_A_BLOCK], p);
}

MB_COLD _Noreturn void mb_report_freed(enum mb_operation operation, const void *p) {
    static const char *const freed[3] = {"double free", "realloc of a freed block", "usable_size of a freed block"};
    mb_fatal(freed[operation], p);
}
