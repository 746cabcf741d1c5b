// Large blocks that get longer at another address. Any thread, on its own blocks.
#include "core/front/large.h"

#include <errno.h>
#include <string.h>

#include "core/front/large_take.h"
#include "core/large/large_span.h"
#include "core/region/arena.h"
#include "platform/bits.h"
#include "platform/os.h"

// Sizes in bytes from which the kernel's page tables beat copying and clearing.
static const size_t MOVE_PAGES_MIN = (size_t)1 << 20;
static const size_t MOVE_PART_MIN = (size_t)256 << 10;
static const size_t SLACK_MAX = (size_t)1 << 30;

static struct mb_slab *record_of(const void *p) { return mb_large_of_piece(mb_piece_of(p)); }

// A block that has grown once will grow again: it gets free address space behind it, a shorter one half as much.
static bool take_with_slack(struct mb_heap *heap, struct mb_large_extent extent, struct mb_run *run) {
    size_t half = extent.pieces + mb_align_up(extent.pieces / 2, mb_os_page_size() >> MB_PIECE_SHIFT);
    if (mb_large_is_pieced(half, 1)) return mb_large_take_run(heap, half, 1, run) || mb_large_take_run(heap, extent.pieces, 1, run);
    size_t units = mb_units_for(extent.pieces), slack = mb_min(units, SLACK_MAX >> MB_UNIT_SHIFT);
    struct mb_span span;
    if (!mb_arena_take(units + slack, 1, &span)) return mb_large_take_run(heap, extent.pieces, 1, run);
    *run = (struct mb_run){mb_pieces_in(span.first), mb_pieces_in(span.units), span.zero};
    return true;
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

// A block that was moved and has grown since lies in several mappings (-EFAULT): its halves may lie in one each. What
// has been moved of a block that cannot be moved whole is copied back: the source has stayed committed.
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

// Pages are moved to whole units alone.
MB_COLD static void give_lost(const struct mb_run *run, enum moved moved) {
    size_t first = run->first / MB_UNIT_PIECES, units = run->pieces / MB_UNIT_PIECES;
    if (moved == NOT_OURS) {
        mb_arena_abandon(first, units);
    } else if (mb_os_decommit((void *)mb_unit_address(first), units << MB_UNIT_SHIFT) == 0) {
        mb_huge_lost(first, units);
        mb_huge_renewed((void *)mb_unit_address(first), units << MB_UNIT_SHIFT);
        mb_arena_give_bare(first, units);
    }
}

void *mb_large_move(struct mb_heap *heap, void *p, size_t bytes) {
    struct mb_slab *old = record_of(p);
    struct mb_large_extent extent;
    struct mb_run run;
    if (!mb_large_extent_of(bytes, &extent) || !take_with_slack(heap, extent, &run)) return NULL;
    mb_large_note_use(&run, extent.bytes, MB_HUGE_MOVED);
    char *fresh = mb_piece_address(run.first);
    // Warm pages behind the block would stay resident unseen.
    size_t slack_bytes = (run.pieces << MB_PIECE_SHIFT) - extent.bytes;
    if (!run.zero && slack_bytes > MB_UNIT_BYTES) mb_os_purge(fresh + extent.bytes, slack_bytes);
    enum moved moved = move_or_copy(p, fresh, mb_min(old->large_bytes, extent.bytes));
    if (moved != COPIED) mb_large_set_flags(old, old->large_flags | MB_LARGE_MOVED);
    if (is_lost(moved)) {
        give_lost(&run, moved);
        return NULL;
    }
    mb_large_set_up(heap, &run, extent.bytes);
    if (moved == MOVED) mb_huge_lost(run.first / MB_UNIT_PIECES, run.pieces / MB_UNIT_PIECES); // the mapping comes with them, too
    if (moved == MOVED) mb_changed_note(fresh, extent.bytes, mb_large_change(old));            // it comes with the pages
    if (moved == MOVED) mb_large_set_flags(record_of(fresh), record_of(fresh)->large_flags | MB_LARGE_MOVED);
    mb_large_free(p);
    return fresh;
}
