#include "core/front/large.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/large/large_keep.h"
#include "core/large/large_span.h"
#include "core/large/large_zero.h"
#include "core/large/outside.h"
#include "core/process/background.h"
#include "core/process/fork.h"
#include "core/region/arena.h"
#include "core/region/margin.h"
#include "core/small/commons.h"
#include "core/small/own.h"
#include "platform/bits.h"
#include "platform/os.h"

// Sizes in bytes from which the kernel's page tables beat copying and clearing.
static const size_t MOVE_PAGES_MIN = (size_t)1 << 20;
static const size_t MOVE_PART_MIN = (size_t)256 << 10;
static const size_t SLACK_MAX = (size_t)1 << 30;

static struct mb_slab *descriptor(const void *p) { return &mb_unit_of(p)->slab; }

// --- freeing --------------------------------------------------------------------------------------------------------

void mb_large_free(void *p) {
    struct mb_unit *unit = mb_unit_of(p);
    if ((uintptr_t)p % MB_UNIT_BYTES != 0) mb_report_inside(MB_OP_FREE, p);
    if (mb_large_is_kept(unit)) mb_report_freed(MB_OP_FREE, p);
    if (mb_changed_any() && mb_large_change(&unit->slab) != MB_CHANGE_STATE && mb_large_keep_own(mb_heap_self, unit)) return;
    mb_large_claim(unit, p);
    size_t units = unit->slab.large_units;
    mb_margin_freed(units);
    size_t margin = mb_background_margin(), warm = mb_min(mb_arena_warm_free_units(), mb_margin_of_warm(margin));
    size_t most = mb_min(margin - warm, MB_MARGIN_KEPT_UNITS);
    if (mb_large_stays_warm(&unit->slab) && mb_large_put_everybodys(unit, units, most)) return;
    mb_large_give(&unit->slab, p);
    mb_background_span_freed(units);
}

// --- making ---------------------------------------------------------------------------------------------------------

static void *hand_out(struct mb_heap *heap, struct mb_unit *unit) {
    MB_POKE(unit->slab.owner, heap->token);
    mb_unit_set_kind(unit, MB_UNIT_LARGE);
    mb_large_note_served(heap);
    return (void *)mb_unit_address(mb_unit_index(unit));
}

static void *set_up(struct mb_heap *heap, const struct mb_span *span, size_t bytes) {
    struct mb_unit *unit = mb_unit_at(span->first);
    MB_POKE(unit->slab.large_flags, 0);
    MB_POKE(unit->slab.block_bytes, 0);
    MB_POKE(unit->slab.multiplier, 1);
    MB_POKE(unit->slab.large_bytes, bytes);
    MB_POKE(unit->slab.large_units, (uint32_t)span->units);
    mb_large_put_guard(&unit->slab, (void *)mb_unit_address(span->first));
    return hand_out(heap, unit);
}

// Nobody else knows the unit.
static void *hand_out_kept(struct mb_heap *heap, struct mb_unit *unit, size_t bytes) {
    void *p = (void *)mb_unit_address(mb_unit_index(unit));
    mb_large_unmark(&unit->slab, MB_LARGE_STEPS);
    if (MB_LIKELY(mb_large_set_bytes(&unit->slab, p, bytes))) return hand_out(heap, unit);
    if (mb_unit_kind(unit) == MB_UNIT_LARGE) mb_large_claim(unit, p);
    mb_large_give(&unit->slab, p);
    return NULL;
}

static void *take_own(struct mb_heap *heap, struct mb_large_extent extent) {
    struct mb_unit *unit = mb_large_take_own(heap, extent.units);
    return unit != NULL ? hand_out_kept(heap, unit, extent.bytes) : NULL;
}

void *mb_large_alloc_kept(struct mb_heap *heap, size_t bytes) {
    struct mb_large_extent extent;
    if (!mb_large_extent_of(bytes, &extent)) return NULL;
    void *p = take_own(heap, extent);
    if (p != NULL && (++heap->slow_calls & 15) == 0) mb_background_tick();
    return p;
}

// A block that was freed a moment ago. NULL: none of that length.
static void *take_kept(struct mb_heap *heap, struct mb_large_extent extent) {
    void *p = take_own(heap, extent);
    if (p != NULL) return p;
    struct mb_unit *unit = mb_large_take_everybodys(extent.units);
    return unit != NULL ? hand_out_kept(heap, unit, extent.bytes) : NULL;
}

// A long block that takes more fresh pages than are free and warm altogether: who asks for longer and longer blocks would hold the earlier ones' pages
// besides. Down to the retained margin these go back; all of them, if they are less than half as many. (Giving back whenever fresh pages
// are taken, or without the margin, makes blocks of jittered lengths 1.2 to 2.4 times as slow.)
enum { PAID_UNITS_MIN = 1 << 20 >> MB_UNIT_SHIFT };

static void pay(size_t units) {
    size_t warm = mb_arena_warm_free_units();
    size_t kept = units < 2 * warm ? mb_margin_of_warm(mb_background_margin()) : 0;
    if (units < PAID_UNITS_MIN || units < warm || warm <= kept) return;
    mb_fork_before_giving();
    mb_arena_purge_any(warm - kept);
}

static bool take_and_pay(size_t units, size_t align_units, struct mb_span *span) {
    size_t warm = mb_arena_warm_free_units();
    if (!mb_arena_take(units, align_units, span)) return false;
    size_t used = warm - mb_min(warm, mb_arena_warm_free_units());
    pay(units - mb_min(units, used));
    return true;
}

// When memory is short, slabs that hold nothing may help, this heap's own and sleeping ones', and the commit charge of free spans.
static bool take(struct mb_heap *heap, size_t units, size_t align, struct mb_span *span) {
    size_t align_units = mb_max(align >> MB_UNIT_SHIFT, 1);
    mb_large_flush_to_grow(heap, units);
    if (take_and_pay(units, align_units, span)) return true;
    mb_large_flush();
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
    struct mb_large_extent extent;
    struct mb_span span;
    if ((++heap->slow_calls & 15) == 0) mb_background_tick();
    if (!mb_large_extent_of(bytes, &extent)) return mb_outside_alloc(align, bytes);
    void *p = align <= MB_UNIT_BYTES ? take_kept(heap, extent) : NULL;
    if (p != NULL) return p;
    return take(heap, extent.units, align, &span) ? set_up(heap, &span, extent.bytes) : mb_outside_alloc(align, bytes);
}

void *mb_large_alloc(struct mb_heap *heap, size_t bytes) { return mb_large_alloc_aligned(heap, 1, bytes); }

void *mb_large_alloc_zeroed(struct mb_heap *heap, size_t bytes) {
    struct mb_large_extent extent;
    struct mb_span span;
    if (!mb_large_extent_of(bytes, &extent)) return mb_outside_alloc(1, bytes); // fresh: zero
    void *p = take_kept(heap, extent);
    bool zero = false;
    if (p == NULL) {
        if (!take(heap, extent.units, 1, &span)) return mb_outside_alloc(1, bytes);
        p = set_up(heap, &span, extent.bytes);
        zero = span.zero;
    }
    mb_large_make_zero(heap, p, bytes, zero);
    return p;
}

// --- moving ---------------------------------------------------------------------------------------------------------

// A block that has grown once will grow again: it gets free address space behind it.
static bool take_with_slack(struct mb_heap *heap, struct mb_large_extent extent, struct mb_span *span) {
    size_t slack = mb_min(extent.units, SLACK_MAX >> MB_UNIT_SHIFT);
    return mb_arena_take(extent.units + slack, 1, span) || take(heap, extent.units, 1, span);
}

enum moved {
    COPIED,
    MOVED,    // pages of it, at least
    BARE,     // not moved: the target, or a part of it, is not committed any more
    NOT_OURS, // not moved: somebody else's mapping may be in the target
};

static bool is_lost(enum moved moved) { return moved == BARE || moved == NOT_OURS; }

static enum moved copy(const void *from, void *to, size_t bytes) {
    memcpy(to, from, bytes);
    return COPIED;
}

// A block that was moved and has grown since lies in several mappings (-EFAULT): its halves may lie in one each. What has been moved of a
// block that cannot be moved whole is copied back: the source has stayed committed.
static enum moved move_pages(char *from, char *to, size_t bytes) {
    int error = bytes >= MOVE_PART_MIN ? mb_os_move_pages(from, to, bytes) : -EINVAL;
    switch (error) {
    case 0: return MOVED;
    case -EFAULT: break;
    case -ENXIO: return BARE;
    case -ESTALE: return NOT_OURS;
    default: return copy(from, to, bytes);
    }
    size_t half = mb_align_up(bytes / 2, MB_UNIT_BYTES);
    enum moved first = move_pages(from, to, half);
    if (is_lost(first)) return first;
    enum moved second = move_pages(from + half, to + half, bytes - half);
    if (is_lost(second) && first == MOVED) copy(to, from, half);
    return second == COPIED ? first : second;
}

static enum moved move_or_copy(void *from, void *to, size_t bytes) {
    return bytes >= MOVE_PAGES_MIN ? move_pages(from, to, bytes) : copy(from, to, bytes);
}

MB_COLD static void give_lost(const struct mb_span *span, enum moved moved) {
    if (moved == NOT_OURS) {
        mb_arena_abandon(span->first, span->units);
    } else if (mb_os_decommit((void *)mb_unit_address(span->first), span->units << MB_UNIT_SHIFT) == 0) {
        mb_arena_give_bare(span->first, span->units);
    }
}

void *mb_large_move(struct mb_heap *heap, void *p, size_t bytes) {
    struct mb_slab *old = descriptor(p);
    struct mb_large_extent extent;
    struct mb_span span;
    if (!mb_large_extent_of(bytes, &extent) || !take_with_slack(heap, extent, &span)) return NULL;
    char *fresh = (char *)mb_unit_address(span.first);
    // Warm pages behind the block would stay resident unseen.
    size_t slack_bytes = (span.units << MB_UNIT_SHIFT) - extent.bytes;
    if (!span.zero && slack_bytes > MB_UNIT_BYTES) mb_os_purge(fresh + extent.bytes, slack_bytes);
    enum moved moved = move_or_copy(p, fresh, mb_min(old->large_bytes, extent.bytes));
    if (moved != COPIED) mb_large_set_flags(old, old->large_flags | MB_LARGE_MOVED);
    if (is_lost(moved)) {
        give_lost(&span, moved);
        return NULL;
    }
    set_up(heap, &span, extent.bytes);
    if (moved == MOVED) mb_changed_note(fresh, extent.bytes, mb_large_change(old)); // it comes with the pages
    if (moved == MOVED) mb_large_set_flags(descriptor(fresh), descriptor(fresh)->large_flags | MB_LARGE_MOVED);
    mb_large_free(p);
    return fresh;
}
