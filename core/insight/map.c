#include "core/insight/map.h"

#include "core/insight/residency.h"
#include "core/large/large_keep.h"
#include "core/layout/slab.h"
#include "core/region/arena.h"
#include "core/region/large_record.h"
#include "platform/os.h"

static uint8_t share(size_t part, size_t whole) { return (uint8_t)(whole == 0 ? 0 : mb_min(part * 255 / whole, 255)); }

static void describe_slab(const struct mb_unit *unit, struct mb_monitor_unit *out) {
    uint32_t free = mb_slab_count_free(unit), carved = MB_PEEK(unit->slab.carved);
    uint32_t live = carved > free ? carved - free : 0;
    out->kind = MB_MAP_SLAB;
    out->class_index = MB_PEEK(unit->slab.class_index);
    out->full = share((size_t)live * MB_PEEK(unit->slab.block_bytes), MB_UNIT_BYTES);
    out->flags = MB_PEEK(unit->slab.owner) != NULL ? MB_MAP_OWNED : 0;
}

// The last large block that begins before or in the unit: how much of it lies there.
struct span {
    uintptr_t begin, end;
    bool kept;
};

static struct span span_of(const struct mb_slab *large) {
    uintptr_t begin = large != NULL ? (uintptr_t)mb_large_start(large) : 0;
    if (large == NULL) return (struct span){0, 0, false};
    return (struct span){begin, begin + MB_PEEK(large->large_bytes), mb_large_is_kept(large)};
}

static size_t live_in(const struct span *span, uintptr_t begin, uintptr_t end) {
    uintptr_t from = mb_max(begin, span->begin), to = mb_min(end, span->end);
    return !span->kept && from < to ? to - from : 0;
}

static void describe_large(size_t i, struct span *span, struct mb_monitor_unit *out) {
    uintptr_t begin = mb_unit_address(i), end = begin + MB_UNIT_BYTES;
    size_t live = live_in(span, begin, end);
    for (uint32_t half = 0; half < MB_UNIT_BYTES; half += MB_UNIT_BYTES / 2) {
        const struct mb_slab *large = mb_large_in_half(mb_unit_at(i), half);
        if (large == NULL) continue;
        *span = span_of(large);
        live += live_in(span, begin, end);
    }
    out->kind = live > 0 ? MB_MAP_LARGE : MB_MAP_KEPT;
    out->full = share(live, MB_UNIT_BYTES);
}

static void describe(size_t i, struct span *span, struct mb_monitor_unit *out) {
    const struct mb_unit *unit = mb_unit_at(i);
    if (mb_unit_kind(unit) == MB_UNIT_SLAB) {
        describe_slab(unit, out);
    } else if (mb_unit_kind(unit) == MB_UNIT_HOLE) {
        out->kind = MB_MAP_HOLE;
    } else if (mb_arena_is_free(i)) {
        out->kind = MB_MAP_FREE;
        if (mb_arena_is_aged(i)) out->flags |= MB_MAP_AGED;
    } else {
        describe_large(i, span, out);
        return;
    }
    *span = (struct span){0, 0, false};
}

size_t mb_map_units(size_t first, struct mb_monitor_unit *out, size_t count) {
    size_t all = mb_arena_units(), end = mb_min(all, first + count);
    struct mb_residency residency;
    mb_residency_init(&residency, mb_unit_address(all));
    struct span span = first < end ? span_of(mb_large_around((const void *)mb_unit_address(first))) : (struct span){0, 0, false};
    for (size_t i = first; i < end; i++) {
        struct mb_monitor_unit *unit = &out[i - first];
        *unit = (struct mb_monitor_unit){0};
        describe(i, &span, unit);
        if (unit->kind == MB_MAP_HOLE) continue;
        bool cold = mb_arena_is_free(i) && !mb_arena_is_warm(i);
        uint32_t pages = cold ? 0 : mb_residency_unit(&residency, mb_unit_address(i));
        unit->resident = share((size_t)mb_popcount64(pages) * mb_os_page_size(), MB_UNIT_BYTES);
        if (mb_arena_is_warm(i)) unit->flags |= MB_MAP_WARM;
    }
    return all;
}
