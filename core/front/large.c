#include "core/front/large.h"

#include <stdint.h>

#include "core/front/large_take.h"
#include "core/front/sample.h"
#include "core/heap/heaps.h"
#include "core/large/large_count.h"
#include "core/large/large_keep.h"
#include "core/large/large_quick.h"
#include "core/large/large_span.h"
#include "core/large/large_zero.h"
#include "core/large/outside.h"
#include "core/process/background.h"
#include "core/process/fork.h"
#include "core/profile/profile.h"
#include "core/region/arena.h"
#include "core/region/huge.h"
#include "core/region/margin.h"
#include "core/region/pieces.h"
#include "core/small/commons.h"
#include "core/small/own.h"
#include "platform/bits.h"
#include "platform/os.h"

// --- freeing --------------------------------------------------------------------------------------------------------

void mb_large_free(void *p) {
    struct mb_slab *large = mb_large_at(mb_unit_of(p), mb_unit_offset(p));
    if (large == NULL) return mb_report_inside(MB_OP_FREE, p);
    if (mb_large_is_kept(large)) return mb_report_freed(MB_OP_FREE, p);
    if (MB_UNLIKELY(mb_sample_is_large(large)))
        mb_profile_remove(p);
    else if (MB_PEEK(large->owner) != mb_heap_self->token)
        mb_heaps_note_remote_frees(1);
    if (mb_changed_any() && mb_large_change(large) != MB_CHANGE_STATE && mb_large_keep_own(mb_heap_self, large)) return;
    mb_large_claim(large, p);
    size_t units = mb_units_for(large->large_pieces);
    mb_margin_freed(units);
    size_t margin = mb_background_margin(), warm = mb_min(mb_arena_warm_free_units(), mb_margin_of_warm(margin));
    size_t most = mb_min(margin - warm, MB_MARGIN_KEPT_UNITS);
    if (mb_large_stays_warm(large) && mb_large_put_everybodys(large, most)) return;
    mb_large_give(large);
    mb_background_span_freed(units);
}

// --- making ---------------------------------------------------------------------------------------------------------

static void *hand_out(struct mb_heap *heap, struct mb_slab *large) {
    MB_POKE(large->owner, heap->token);
    mb_large_set_kind(large, MB_UNIT_LARGE);
    mb_large_note_served(heap);
    return mb_large_start(large);
}

void *mb_large_set_up(struct mb_heap *heap, const struct mb_run *run, size_t bytes) {
    struct mb_slab *large = mb_large_new_record(run->first, run->pieces);
    MB_POKE(large->large_flags, 0);
    MB_POKE(large->bound, 0);
    MB_POKE(large->multiplier, 1);
    MB_POKE(large->large_bytes, bytes);
    MB_POKE(large->large_pieces, (uint32_t)run->pieces);
    mb_large_count_taken(bytes);
    mb_large_put_guard(large, mb_piece_address(run->first));
    return hand_out(heap, large);
}

// No other thread has the block. (If two threads have freed it at the same moment, it is also in the cache of the
// thread that made it, and marked; if the mark has been cleared, that is reported when the block is taken out.) One of
// up to 512 KiB stays as long as it is.
static void *hand_out_kept(struct mb_heap *heap, struct mb_slab *large, size_t bytes) {
    void *p = mb_large_start(large);
    mb_large_unmark(large, MB_LARGE_KEPT | MB_LARGE_STEPS);
    bool stays = large->large_bytes >= bytes && large->large_bytes <= MB_PIECED_MAX;
    if (MB_LIKELY(stays || mb_large_set_bytes(large, p, bytes))) return hand_out(heap, large);
    if (mb_large_is_record(large)) mb_large_claim(large, p);
    mb_large_give(large);
    return NULL;
}

static void *take_own(struct mb_heap *heap, struct mb_large_extent extent) {
    struct mb_slab *large = mb_large_take_own(heap, &extent);
    return large != NULL ? hand_out_kept(heap, large, extent.bytes) : NULL;
}

void *mb_large_alloc_kept(struct mb_heap *heap, size_t bytes) {
    struct mb_large_extent extent;
    if (!mb_large_extent_of(bytes, &extent)) return NULL;
    void *p = take_own(heap, extent);
    if (p != NULL && (++heap->slow_calls & 15) == 0) mb_background_tick();
    return p;
}

static void *take_everybodys(struct mb_heap *heap, struct mb_large_extent extent) {
    struct mb_slab *large = mb_large_take_everybodys(&extent);
    return large != NULL ? hand_out_kept(heap, large, extent.bytes) : NULL;
}

// A block that was freed a moment ago. NULL: none of that length.
static void *take_kept(struct mb_heap *heap, struct mb_large_extent extent) {
    void *p = take_own(heap, extent);
    return p != NULL ? p : take_everybodys(heap, extent);
}

// A long block that needs more fresh pages than all free resident ones together: a program that requests longer and
// longer blocks would also keep the pages of the earlier ones. These are purged down to the retained margin; all of
// them, if they are less than half as many. (Purging whenever fresh pages are taken, or without the margin, makes
// blocks of jittered lengths 1.2 to 2.4 times as slow.)
enum { PAID_UNITS_MIN = 1 << 20 >> MB_UNIT_SHIFT };

static void pay(size_t units) {
    size_t warm = mb_arena_warm_free_units();
    size_t kept =
        units < 2 * warm ? mb_min(mb_background_margin(), MB_MARGIN_WARM_UNITS) : 0; // not by what was missed: that was for other lengths
    if (units < PAID_UNITS_MIN || units < warm || warm <= mb_max(kept, mb_margin_asked_units())) return;
    mb_fork_before_giving();
    mb_arena_purge_any(warm - kept);
}

static bool take_units(size_t pieces, size_t align, struct mb_run *out) {
    size_t units = mb_units_for(pieces);
    struct mb_span span;
    if (!mb_arena_take(units, mb_max(align >> MB_UNIT_SHIFT, 1), &span)) return false;
    *out = (struct mb_run){mb_pieces_in(span.first), mb_pieces_in(units), span.zero};
    return true;
}

static bool take_fresh(size_t pieces, size_t align, struct mb_run *out) {
    if (mb_large_is_pieced(pieces, align)) return mb_pieces_take(pieces, mb_max(align >> MB_PIECE_SHIFT, 1), out);
    return take_units(pieces, align, out);
}

static bool take_and_pay(size_t pieces, size_t align, struct mb_run *out) {
    size_t warm = mb_arena_warm_free_units(), units = mb_units_for(pieces);
    if (!take_fresh(pieces, align, out)) return false;
    size_t used = warm - mb_min(warm, mb_arena_warm_free_units());
    pay(units - mb_min(units, used));
    return true;
}

bool mb_large_take_run(struct mb_heap *heap, size_t pieces, size_t align, struct mb_run *out) {
    bool pieced = mb_large_is_pieced(pieces, align);
    if (pieced && mb_pieces_take_held(pieces, mb_max(align >> MB_PIECE_SHIFT, 1), out)) return true;
    if (pieced && mb_large_may_stay(heap) && take_and_pay(pieces, align, out)) return true;
    mb_large_flush_to_grow(heap, mb_units_for(pieces));
    if (take_and_pay(pieces, align, out)) return true;
    mb_large_flush();
    mb_own_release_all(heap);
    mb_commons_release();
    mb_background_claim_all();
    mb_arena_shortage_enter();
    mb_pieces_settle();
    mb_arena_decommit_all();
    bool taken = take_fresh(pieces, align, out);
    mb_arena_shortage_leave();
    return taken;
}

// A guard page in a huge page that is not there yet would keep it from coming.
void mb_large_note_use(const struct mb_run *run, size_t bytes, enum mb_huge_use use) {
    bool goes_on = mb_huge_taken_run(run, use);
    volatile char *p = mb_piece_address(run->first);
    if (goes_on && bytes >= MB_GUARDED_LARGE_MIN) p[bytes] = 0;
}

static void *alloc_fresh(struct mb_heap *heap, struct mb_large_extent extent, size_t align, enum mb_huge_use use) {
    struct mb_run run;
    if (!mb_large_take_run(heap, extent.pieces, align, &run)) return mb_outside_alloc(align, extent.bytes);
    mb_large_note_use(&run, extent.bytes, use);
    return mb_large_set_up(heap, &run, extent.bytes);
}

void *mb_large_alloc_aligned(struct mb_heap *heap, size_t align, size_t bytes) {
    struct mb_large_extent extent;
    if ((++heap->slow_calls & 15) == 0) mb_background_tick();
    if (!mb_large_extent_of(bytes, &extent)) return mb_outside_alloc(align, bytes);
    void *p = align <= mb_os_page_size() ? take_kept(heap, extent) : NULL;
    return p != NULL ? p : alloc_fresh(heap, extent, align, align == 1 ? MB_HUGE_FILLED : MB_HUGE_SPARSE);
}

void *mb_large_alloc_missed(struct mb_heap *heap, size_t bytes) {
    struct mb_large_extent extent;
    if ((++heap->slow_calls & 15) == 0) mb_background_tick();
    if (!mb_large_extent_of(bytes, &extent)) return mb_outside_alloc(1, bytes);
    void *p = take_everybodys(heap, extent);
    return p != NULL ? p : alloc_fresh(heap, extent, 1, MB_HUGE_FILLED);
}

void *mb_large_alloc_zeroed(struct mb_heap *heap, size_t bytes) {
    struct mb_large_extent extent;
    struct mb_run run;
    if (!mb_large_extent_of(bytes, &extent)) return mb_outside_alloc(1, bytes); // fresh: zero
    void *p = take_kept(heap, extent);
    bool zero = false;
    if (p == NULL) {
        if (!mb_large_take_run(heap, extent.pieces, 1, &run)) return mb_outside_alloc(1, bytes);
        mb_large_note_use(&run, extent.bytes, MB_HUGE_SPARSE);
        p = mb_large_set_up(heap, &run, extent.bytes);
        zero = run.zero;
    }
    mb_large_make_zero(heap, p, bytes, zero);
    return p;
}
