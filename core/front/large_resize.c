// Large blocks that change their length where they are. Any thread, on its own blocks.
#include "core/front/large.h"

#include "core/large/large_keep.h"
#include "core/large/large_span.h"
#include "core/process/background.h"
#include "core/process/fork.h"
#include "core/region/huge.h"
#include "core/region/pieces.h"
#include "platform/bits.h"
#include "platform/os.h"

// --- shrinking ------------------------------------------------------------------------------------------------------

// Pieces beyond an eighth more than needed go back when a block shrinks, or beyond 1 MiB more if it was never moved:
// those of a moved one go without their pages, and it is likely to grow again. A guard page that stays up among them
// would be lost with its unit.
enum { SHRUNK_PIECES_MAX = 1 << 20 >> MB_PIECE_SHIFT, KEPT_SHARE = 8 };

static void shrink_span(struct mb_slab *large, char *p, size_t pieces) {
    bool moved = (large->large_flags & MB_LARGE_MOVED) != 0;
    size_t most = moved ? pieces / KEPT_SHARE : mb_min(pieces / KEPT_SHARE, SHRUNK_PIECES_MAX);
    if (large->large_pieces <= pieces + most) return;
    if ((large->large_flags & MB_LARGE_GUARD_FAR) != 0) {
        if (!mb_large_remove_guard(large, p)) return;
        mb_large_put_guard(large, p);
    }
    size_t rest = large->large_pieces - pieces;
    MB_POKE(large->large_pieces, (uint32_t)pieces);
    mb_large_give_part(p + (pieces << MB_PIECE_SHIFT), rest, moved);
    mb_background_span_freed(mb_units_for(rest));
}

// The pages that a shrunk block still has behind it. Those that come with a small step stay.
enum { SMALL_STEP_SHARE = 16 };

static void give_tail_pages(const struct mb_slab *large, char *p, size_t old_bytes) {
    bool guard_behind = (large->large_flags & (MB_LARGE_GUARDED | MB_LARGE_GUARD_FAR)) == MB_LARGE_GUARDED;
    size_t from = large->large_bytes + (guard_behind ? mb_os_page_size() : 0);
    size_t to = mb_min(old_bytes, (size_t)large->large_pieces << MB_PIECE_SHIFT);
    if (from >= to || to - from <= large->large_bytes / SMALL_STEP_SHARE) return;
    mb_fork_before_giving();
    if (mb_os_purge(p + from, to - from) == 0) mb_huge_purged(mb_unit_index(mb_unit_of(p + from)), 1);
}

// A block that has given pages back and has grown again since keeps a quarter more than it needs: what goes up and down
// in turn would fault for the same pages each time (a buffer that goes from 100 MB to 90 and back: 3 ms a round instead
// of 0.07).
static bool swings(const struct mb_slab *large, size_t old_bytes) {
    return (large->large_flags & MB_LARGE_SWINGS) != 0 && old_bytes - large->large_bytes <= large->large_bytes / 4;
}

static void give_tail(struct mb_slab *large, void *p, size_t old_bytes, size_t pieces) {
    if (swings(large, old_bytes)) return;
    mb_large_set_flags(large, large->large_flags | MB_LARGE_SHRANK);
    shrink_span(large, p, pieces);
    give_tail_pages(large, p, old_bytes);
}

// --- growing --------------------------------------------------------------------------------------------------------

// A far guard page would come to lie inside the block.
static bool take_behind(struct mb_slab *large, const void *p, size_t pieces) {
    bool zero;
    size_t end = mb_large_first(large) + large->large_pieces, more = pieces - large->large_pieces;
    if (!mb_pieces_take_at(end, more, &zero)) return false;
    if ((large->large_flags & MB_LARGE_GUARD_FAR) != 0 && !mb_large_remove_guard(large, p)) {
        mb_pieces_give(end, more);
        return false;
    }
    mb_huge_taken_run(&(struct mb_run){end, more, zero}, MB_HUGE_FILLED);
    MB_POKE(large->large_pieces, (uint32_t)pieces);
    return true;
}

// The most that a long block gets beyond its length after it has grown in place a few times, so that its guard page
// need not move at every step. An overflow then first hits unused memory of the block, and after that the guard page.
enum { RESERVE_PIECES = 1 << 20 >> MB_PIECE_SHIFT };

static bool has_grown_often(struct mb_slab *large) {
    if ((large->large_flags & MB_LARGE_GROWN_MASK) == MB_LARGE_GROWN_OFTEN) return true;
    mb_large_set_flags(large, large->large_flags + MB_LARGE_GROWN);
    return false;
}

static size_t with_reserve(struct mb_large_extent extent) {
    return mb_align_up(extent.pieces + mb_min(extent.pieces / 8, RESERVE_PIECES), MB_UNIT_PIECES);
}

static bool grow_span(struct mb_slab *large, const void *p, struct mb_large_extent extent, bool often) {
    if (extent.pieces <= large->large_pieces) return true;
    if ((often && take_behind(large, p, with_reserve(extent))) || take_behind(large, p, extent.pieces)) return true;
    mb_large_flush();
    return take_behind(large, p, extent.pieces);
}

// For a block that is about to grow that far.
static void put_guard_ahead(struct mb_slab *large, const void *p, struct mb_large_extent extent) {
    if (mb_large_far_guard_stays(large, extent.bytes)) return;
    if (mb_large_remove_guard(large, p)) mb_large_put_far_guard(large, p, mb_min(with_reserve(extent), large->large_pieces));
}

// --- both -----------------------------------------------------------------------------------------------------------

bool mb_large_resize(void *p, size_t bytes) {
    struct mb_slab *large = mb_large_of_piece(mb_piece_of(p));
    struct mb_large_extent extent;
    if (!mb_large_extent_of(bytes, &extent)) return false;
    size_t old_bytes = large->large_bytes;
    bool often = extent.bytes > mb_max(large->large_bytes, MB_GUARDED_LARGE_MIN) && has_grown_often(large);
    if (!grow_span(large, p, extent, often)) return false;
    if (often) put_guard_ahead(large, p, extent);
    if (!mb_large_set_bytes(large, p, extent.bytes)) return false;
    if (extent.bytes < old_bytes)
        give_tail(large, p, old_bytes, extent.pieces);
    else if (extent.bytes > old_bytes && (large->large_flags & MB_LARGE_SHRANK) != 0)
        mb_large_set_flags(large, large->large_flags | MB_LARGE_SWINGS);
    return true;
}
