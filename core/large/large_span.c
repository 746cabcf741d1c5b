#include "core/large/large_span.h"

#include <errno.h>

#include "core/heap/large_length.h"
#include "core/large/large_count.h"
#include "core/region/arena.h"
#include "core/region/changed.h"
#include "core/region/huge.h"
#include "core/region/margin.h"
#include "core/region/pieces.h"
#include "core/region/purge.h"
#include "core/told/report.h"
#include "platform/bits.h"
#include "platform/os.h"

// Longer blocks give their pages back when they are freed, as glibc's do; shorter ones stay warm for the next.
static const size_t KEEP_WARM_MAX = (size_t)33 << 20;

// --- geometry -------------------------------------------------------------------------------------------------------

bool mb_large_extent_of(size_t bytes, struct mb_large_extent *out) {
    if (bytes > MB_WINDOW_BYTES) return false;
    size_t page = mb_os_page_size();
    size_t needed = mb_align_up(mb_max(bytes, 1), page) >> MB_PIECE_SHIFT, length = mb_large_length(needed - 1);
    out->least = needed;
    out->most = mb_large_longest_for(needed);
    out->bytes = mb_align_up(length << MB_PIECE_SHIFT, page);
    size_t guard = out->bytes >= MB_GUARDED_LARGE_MIN ? page : 0;
    size_t span = out->bytes > MB_PIECED_MAX ? mb_align_up(out->bytes + guard, MB_UNIT_BYTES) : mb_max(out->bytes, MB_UNIT_BYTES / 2);
    out->pieces = mb_align_up(span, page) >> MB_PIECE_SHIFT;
    return true;
}

// --- the guard page -------------------------------------------------------------------------------------------------

static size_t guard_offset(const struct mb_slab *large) {
    bool far = (large->large_flags & MB_LARGE_GUARD_FAR) != 0;
    return far ? ((size_t)large->guard_pieces << MB_PIECE_SHIFT) - mb_os_page_size() : large->large_bytes;
}

static char *guard_of(const struct mb_slab *large, const void *p) { return (char *)(uintptr_t)p + guard_offset(large); }

void mb_large_put_guard(struct mb_slab *large, const void *p) {
    if (large->large_bytes < MB_GUARDED_LARGE_MIN) return;
    if (mb_os_guard(guard_of(large, p), mb_os_page_size()) == 0) mb_large_set_flags(large, large->large_flags | MB_LARGE_GUARDED);
}

void mb_large_put_far_guard(struct mb_slab *large, const void *p, size_t pieces) {
    uint32_t near = large->large_flags, far = near | MB_LARGE_GUARD_FAR;
    MB_POKE(large->guard_pieces, (uint32_t)pieces);
    mb_large_set_flags(large, far);
    mb_large_set_flags(large, mb_os_guard(guard_of(large, p), mb_os_page_size()) == 0 ? far | MB_LARGE_GUARDED : near);
}

static bool has_guard(const struct mb_slab *large) { return (large->large_flags & (MB_LARGE_GUARDED | MB_LARGE_GUARD_FAR)) != 0; }

bool mb_large_remove_guard(struct mb_slab *large, const void *p) {
    size_t page = mb_os_page_size();
    bool up = (large->large_flags & MB_LARGE_GUARDED) != 0;
    if (up && mb_os_unguard(guard_of(large, p), page) != 0 && mb_os_renew(guard_of(large, p), page) != 0) return false;
    mb_large_set_flags(large, large->large_flags & ~(uint32_t)(MB_LARGE_GUARDED | MB_LARGE_GUARD_FAR));
    return true;
}

bool mb_large_far_guard_stays(const struct mb_slab *large, size_t bytes) {
    return (large->large_flags & MB_LARGE_GUARD_FAR) != 0 && bytes <= guard_offset(large);
}

MB_NOINLINE static void set_bytes(struct mb_slab *large, size_t bytes) {
    mb_large_count_resized(large->large_bytes, bytes);
    MB_POKE(large->large_bytes, bytes);
}

bool mb_large_move_guard(struct mb_slab *large, void *p, size_t bytes) {
    bool none = !has_guard(large) && bytes < MB_GUARDED_LARGE_MIN;
    if (none || mb_large_far_guard_stays(large, bytes)) {
        set_bytes(large, bytes);
        return true;
    }
    if (!mb_large_remove_guard(large, p)) return false;
    set_bytes(large, bytes);
    mb_large_put_guard(large, p);
    return true;
}

// --- giving up ------------------------------------------------------------------------------------------------------

static bool stays_warm(size_t units) { return units <= mb_max(KEEP_WARM_MAX >> MB_UNIT_SHIFT, mb_margin_asked_units()); }

// Short runs stay warm; a long one's whole units, which the arena gets, give their pages back here.
static void give_as_they_are(size_t first, size_t pieces) {
    struct mb_run whole = mb_pieces_whole_units(first, pieces);
    size_t bytes = whole.pieces << MB_PIECE_SHIFT, behind = whole.first + whole.pieces;
    if (stays_warm(whole.pieces / MB_UNIT_PIECES) || !mb_purge_to_zero(mb_piece_address(whole.first), bytes)) {
        mb_pieces_give(first, pieces);
        return;
    }
    mb_huge_purged(whole.first / MB_UNIT_PIECES, whole.pieces / MB_UNIT_PIECES);
    mb_pieces_give(first, whole.first - first);
    mb_pieces_give_cold(whole.first, whole.pieces);
    mb_pieces_give(behind, first + pieces - behind);
}

void mb_large_give_part(void *p, size_t pieces, bool moved) {
    if (pieces == 0) return;
    size_t first = mb_piece_of(p), unit = first / MB_UNIT_PIECES, units = mb_units_for(first + pieces) - unit;
    bool afresh = moved || mb_changed(unit, units) != MB_CHANGE_NONE;
    if (!afresh || !mb_pieces_give_renewed(first, pieces)) give_as_they_are(first, pieces);
}

bool mb_large_stays_warm(const struct mb_slab *large) {
    bool as_it_was = (large->large_flags & (MB_LARGE_MOVED | MB_LARGE_GUARD_FAR)) == 0;
    bool is_short = (size_t)large->large_pieces << MB_PIECE_SHIFT <= KEEP_WARM_MAX;
    return as_it_was && is_short && mb_large_change(large) != MB_CHANGE_STATE;
}

void mb_large_claim(struct mb_slab *record, const void *p) {
    uint8_t large = MB_UNIT_LARGE;
    bool mine = __atomic_compare_exchange_n(&record->kind, &large, (uint8_t)MB_UNIT_NONE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    if (!mine) mb_report_freed_at_once(p);
    MB_POKE(record->owner, NULL);
}

// A guard page that cannot be removed is lost; what lies before and behind it is not.
MB_COLD static void give_around_guard(const struct mb_slab *large, char *p, bool moved) {
    size_t before = guard_offset(large) >> MB_PIECE_SHIFT, behind = before + (mb_os_page_size() >> MB_PIECE_SHIFT);
    mb_large_give_part(p, before, moved);
    mb_large_give_part(p + (behind << MB_PIECE_SHIFT), large->large_pieces - behind, moved);
}

void mb_large_give(struct mb_slab *large) {
    char *p = mb_large_start(large);
    bool moved = (large->large_flags & MB_LARGE_MOVED) != 0;
    mb_large_count_given(large->large_bytes);
    bool unguarded = !has_guard(large) || mb_large_remove_guard(large, p);
    mb_large_let_go(large);
    if (MB_LIKELY(unguarded)) {
        mb_large_give_part(p, large->large_pieces, moved);
    } else {
        give_around_guard(large, p, moved);
    }
}
