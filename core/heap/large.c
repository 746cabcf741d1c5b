#include "core/heap/large.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/base/check.h"
#include "core/heap/background.h"
#include "core/heap/commons.h"
#include "core/heap/large_cache.h"
#include "core/heap/outside.h"
#include "core/heap/own.h"
#include "core/heap/report.h"
#include "core/region/arena.h"
#include "platform/bits.h"
#include "platform/os.h"

// Sizes in bytes from which the kernel's page tables beat copying and clearing.
static const size_t MOVE_PAGES_MIN = (size_t)1 << 20;
static const size_t MOVE_PART_MIN = (size_t)256 << 10;
static const size_t PURGE_TO_ZERO_MIN = (size_t)16 << 20;
// Longer blocks give their pages back when they are freed, as glibc's do; shorter ones stay warm for the next.
static const size_t KEEP_WARM_MAX = (size_t)33 << 20;
static const size_t SLACK_MAX = (size_t)1 << 30;

// --- geometry -------------------------------------------------------------------------------------------------------

// What a block of so many bytes takes: whole pages, a guard page if it is long, whole units. False beyond the window.
struct extent {
    size_t bytes, units;
};

static bool extent_of(size_t bytes, struct extent *out) {
    if (bytes > MB_WINDOW_BYTES) return false;
    size_t page = mb_os_page_size();
    out->bytes = mb_align_up(mb_max(bytes, 1), page);
    size_t guard = out->bytes >= MB_GUARDED_LARGE_MIN ? page : 0;
    out->units = (out->bytes + guard + MB_UNIT_MASK) >> MB_UNIT_SHIFT;
    return true;
}

static struct mb_slab *descriptor(const void *p) { return &mb_unit_of(p)->slab; }

// --- the guard page -------------------------------------------------------------------------------------------------

static char *guard_of(const struct mb_slab *large, const void *p) { return (char *)(uintptr_t)p + large->large_bytes; }

static void put_guard(struct mb_slab *large, const void *p) {
    if (large->large_bytes < MB_GUARDED_LARGE_MIN) return;
    if (mb_os_guard(guard_of(large, p), mb_os_page_size()) == 0) large->large_flags |= MB_LARGE_GUARDED;
}

// False when the system refuses every way to make the page usable again.
static bool remove_guard(struct mb_slab *large, const void *p) {
    if ((large->large_flags & MB_LARGE_GUARDED) == 0) return true;
    size_t page = mb_os_page_size();
    if (mb_os_unguard(guard_of(large, p), page) != 0 && mb_os_renew(guard_of(large, p), page) != 0) return false;
    large->large_flags &= ~(uint32_t)MB_LARGE_GUARDED;
    return true;
}

// --- freeing --------------------------------------------------------------------------------------------------------

static void give_span(void *p, size_t units, bool moved) {
    if (units == 0) return;
    size_t first = mb_unit_index(mb_unit_of(p));
    size_t bytes = units << MB_UNIT_SHIFT;
    if ((moved && mb_os_renew(p, bytes) == 0) || (bytes > KEEP_WARM_MAX && mb_os_purge(p, bytes) == 0)) {
        mb_arena_give_cold(first, units);
    } else {
        mb_arena_give(first, units);
    }
}

// One of two threads that free the same block gets it; the other one is told.
static void claim_for_free(struct mb_unit *unit, const void *p) {
    uint8_t large = MB_UNIT_LARGE;
    bool mine = __atomic_compare_exchange_n(&unit->slab.kind, &large, (uint8_t)MB_UNIT_NONE, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED);
    if (!mine) mb_report_freed(MB_OP_FREE, p);
}

// The unit of a guard that cannot be removed is lost; what lies before and behind it is not.
MB_COLD static void give_around_guard(const struct mb_slab *large, char *p, bool moved) {
    size_t lost = large->large_bytes >> MB_UNIT_SHIFT;
    mb_os_purge(p + (lost << MB_UNIT_SHIFT), MB_UNIT_BYTES);
    give_span(p, lost, moved);
    give_span(p + ((lost + 1) << MB_UNIT_SHIFT), large->large_units - lost - 1, moved);
}

// All of a block's units to the arena; its descriptor says MB_UNIT_NONE already.
static void give_whole(struct mb_slab *large, char *p) {
    bool moved = (large->large_flags & MB_LARGE_MOVED) != 0;
    if (MB_LIKELY(remove_guard(large, p))) {
        give_span(p, large->large_units, moved);
    } else {
        give_around_guard(large, p, moved);
    }
}

static void give_kept(size_t first, size_t units) {
    (void)units;
    give_whole(&mb_unit_at(first)->slab, (char *)mb_unit_address(first));
}

void mb_large_flush(void) { mb_large_cache_flush(give_kept); }
void mb_large_age(void) { mb_large_cache_age(give_kept); }

static bool is_kept(const struct mb_slab *large, const void *p) {
    size_t units = large->large_units;
    if ((large->large_flags & MB_LARGE_MOVED) != 0 || units << MB_UNIT_SHIFT > KEEP_WARM_MAX) return false;
    return mb_large_cache_put(mb_unit_index(mb_unit_of(p)), units);
}

void mb_large_free(void *p) {
    struct mb_unit *unit = mb_unit_of(p);
    if ((uintptr_t)p % MB_UNIT_BYTES != 0) mb_report_inside(MB_OP_FREE, p);
    claim_for_free(unit, p);
    if (is_kept(&unit->slab, p)) return;
    give_whole(&unit->slab, p);
    mb_background_span_freed();
}

// --- making ---------------------------------------------------------------------------------------------------------

static void *hand_out(struct mb_heap *heap, struct mb_unit *unit) {
    mb_unit_set_kind(unit, MB_UNIT_LARGE);
    uint64_t served = atomic_load_explicit(&heap->shared.large_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.large_served, served + 1, memory_order_relaxed);
    return (void *)mb_unit_address(mb_unit_index(unit));
}

static void *set_up(struct mb_heap *heap, const struct mb_span *span, size_t bytes) {
    struct mb_unit *unit = mb_unit_at(span->first);
    unit->slab.large_flags = 0;
    MB_POKE(unit->slab.large_bytes, bytes);
    MB_POKE(unit->slab.large_units, (uint32_t)span->units);
    put_guard(&unit->slab, (void *)mb_unit_address(span->first));
    return hand_out(heap, unit);
}

static bool set_bytes(struct mb_slab *large, void *p, size_t bytes) {
    if (large->large_bytes == bytes) return true;
    if (!remove_guard(large, p)) return false;
    MB_POKE(large->large_bytes, bytes);
    put_guard(large, p);
    return true;
}

// A block that was freed a moment ago. NULL: none of that length.
static void *take_kept(struct mb_heap *heap, struct extent extent) {
    size_t first;
    if (!mb_large_cache_take(extent.units, &first)) return NULL;
    struct mb_unit *unit = mb_unit_at(first);
    if (set_bytes(&unit->slab, (void *)mb_unit_address(first), extent.bytes)) return hand_out(heap, unit);
    give_kept(first, extent.units);
    return NULL;
}

// When memory is short, slabs that hold nothing may help, this heap's own and sleeping ones', and the commit charge of free spans.
static bool take(struct mb_heap *heap, size_t units, size_t align, struct mb_span *span) {
    size_t align_units = mb_max(align >> MB_UNIT_SHIFT, 1);
    mb_large_flush();
    if (mb_arena_take(units, align_units, span)) return true;
    mb_own_release_all(heap);
    mb_commons_release();
    mb_background_claim_all();
    mb_arena_shortage_enter();
    mb_arena_decommit_all();
    bool taken = mb_arena_take(units, align_units, span);
    mb_arena_shortage_leave();
    return taken;
}

void *mb_large_alloc_aligned(struct mb_heap *heap, size_t align, size_t bytes) {
    struct extent extent;
    struct mb_span span;
    if ((++heap->slow_calls & 15) == 0) mb_background_tick();
    if (!extent_of(bytes, &extent)) return mb_outside_alloc(align, bytes);
    void *p = align <= MB_UNIT_BYTES ? take_kept(heap, extent) : NULL;
    if (p != NULL) return p;
    return take(heap, extent.units, align, &span) ? set_up(heap, &span, extent.bytes) : mb_outside_alloc(align, bytes);
}

void *mb_large_alloc(struct mb_heap *heap, size_t bytes) { return mb_large_alloc_aligned(heap, 1, bytes); }

// Memory with unknown contents becomes zero by giving its pages back, or by clearing where that is cheaper or refused.
static void make_zero(void *p, size_t bytes) {
    if (bytes >= PURGE_TO_ZERO_MIN && mb_os_purge(p, mb_align_up(bytes, mb_os_page_size())) == 0) return;
    memset(p, 0, bytes);
}

void *mb_large_alloc_zeroed(struct mb_heap *heap, size_t bytes) {
    struct extent extent;
    struct mb_span span;
    if (!extent_of(bytes, &extent)) return mb_outside_alloc(1, bytes); // fresh: zero
    void *p = take_kept(heap, extent);
    bool zero = false;
    if (p == NULL) {
        if (!take(heap, extent.units, 1, &span)) return mb_outside_alloc(1, bytes);
        p = set_up(heap, &span, extent.bytes);
        zero = span.zero;
    }
    if (!zero) make_zero(p, bytes);
    return p;
}

// --- resizing -------------------------------------------------------------------------------------------------------

// Units beyond a quarter more than needed go back when a block shrinks.
static void shrink_units(struct mb_slab *large, void *p, size_t units) {
    if (large->large_units - units <= units / 4) return;
    size_t rest = large->large_units - units;
    bool moved = (large->large_flags & MB_LARGE_MOVED) != 0;
    MB_POKE(large->large_units, (uint32_t)units);
    give_span((char *)p + (units << MB_UNIT_SHIFT), rest, moved);
    mb_background_span_freed();
}

static bool grow_units(struct mb_slab *large, const void *p, size_t units) {
    if (units <= large->large_units) return true;
    bool zero;
    size_t end = mb_unit_index(mb_unit_of(p)) + large->large_units;
    if (!mb_arena_take_at(end, units - large->large_units, &zero)) {
        mb_large_flush();
        if (!mb_arena_take_at(end, units - large->large_units, &zero)) return false;
    }
    MB_POKE(large->large_units, (uint32_t)units);
    return true;
}

bool mb_large_resize(void *p, size_t bytes) {
    struct mb_slab *large = descriptor(p);
    struct extent extent;
    if (!extent_of(bytes, &extent)) return false;
    if (!grow_units(large, p, extent.units)) return false;
    bool shrinks = extent.bytes < large->large_bytes;
    if (!set_bytes(large, p, extent.bytes)) return false;
    if (shrinks) shrink_units(large, p, extent.units);
    return true;
}

// --- moving ---------------------------------------------------------------------------------------------------------

// A block that has grown once will grow again: it gets free address space behind it.
static bool take_with_slack(struct mb_heap *heap, struct extent extent, struct mb_span *span) {
    size_t slack = mb_min(extent.units, SLACK_MAX >> MB_UNIT_SHIFT);
    return mb_arena_take(extent.units + slack, 1, span) || take(heap, extent.units, 1, span);
}

// A block that was moved and has grown since lies in several mappings (-EFAULT): its halves may lie in one each. True when any
// page was moved.
static bool move_contents(char *from, char *to, size_t bytes) {
    int error = bytes >= MOVE_PART_MIN ? mb_os_move_pages(from, to, bytes) : -EINVAL;
    if (error == 0) return true;
    if (error != -EFAULT) {
        memcpy(to, from, bytes);
        return false;
    }
    size_t half = mb_align_up(bytes / 2, MB_UNIT_BYTES);
    bool first = move_contents(from, to, half);
    return move_contents(from + half, to + half, bytes - half) || first;
}

static bool move_or_copy(void *from, void *to, size_t bytes) {
    if (bytes >= MOVE_PAGES_MIN) return move_contents(from, to, bytes);
    memcpy(to, from, bytes);
    return false;
}

void *mb_large_move(struct mb_heap *heap, void *p, size_t bytes) {
    struct mb_slab *old = descriptor(p);
    struct extent extent;
    struct mb_span span;
    if (!extent_of(bytes, &extent) || !take_with_slack(heap, extent, &span)) return NULL;
    char *fresh = (char *)mb_unit_address(span.first);
    // Warm pages behind the block would stay resident unseen.
    size_t slack_bytes = (span.units << MB_UNIT_SHIFT) - extent.bytes;
    if (!span.zero && slack_bytes > MB_UNIT_BYTES) mb_os_purge(fresh + extent.bytes, slack_bytes);
    bool moved = move_or_copy(p, fresh, mb_min(old->large_bytes, extent.bytes));
    set_up(heap, &span, extent.bytes);
    if (moved) {
        descriptor(fresh)->large_flags |= MB_LARGE_MOVED;
        old->large_flags |= MB_LARGE_MOVED;
    }
    mb_large_free(p);
    return fresh;
}
