#include "core/region/recover.h"

#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/changed.h"
#include "core/region/huge.h"
#include "core/region/large_record.h"
#include "core/region/pieces.h"
#include "core/region/purge.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

// A unit that was in the hands of an absent thread: half a span, which may have a guard page in it.
static void recover_unit(size_t unit) {
    mb_unit_at(unit)->slab = (struct mb_slab){0};
    mb_unit_at(unit)->upper = (struct mb_slab){0};
    if (mb_os_renew((void *)mb_unit_address(unit), MB_UNIT_BYTES) != 0) return;
    mb_huge_renewed((void *)mb_unit_address(unit), MB_UNIT_BYTES);
    mb_changed_forget(unit, 1);
    mb_map_set_committed(&mb_arena_map, unit, 1);
    mb_map_set_cold(&mb_arena_map, unit, 1);
    mb_map_release(&mb_arena_map, unit, 1);
}

// The pieces of a unit that blocks cover: at its start one that has begun before and reaches to `covered`, and what
// begins in it.
static uint32_t covered_pieces(struct mb_unit *unit, size_t first, size_t *covered) {
    uint32_t mask = *covered <= first ? 0 : (uint32_t)mb_bit_range(0, (unsigned)mb_min(*covered - first, MB_UNIT_PIECES));
    for (uint32_t half = 0; half < 2; half++) {
        const struct mb_slab *large = mb_large_in_half(unit, half * MB_UNIT_BYTES / 2);
        if (large == NULL) continue;
        size_t begin = mb_large_first(large) - first, length = mb_min(large->large_pieces, MB_UNIT_PIECES - begin);
        mask |= (uint32_t)mb_bit_range((unsigned)begin, (unsigned)length);
        *covered = mb_large_first(large) + large->large_pieces;
    }
    return mask;
}

// Pieces that are neither part of a block nor free were claimed by an absent thread: pieces of a divided unit, or a
// whole unit.
static void recover_uncovered(size_t index, uint32_t covered) {
    enum { WHOLE = (1 << MB_UNIT_PIECES) - 1 };
    uint32_t free = mb_pieces_free_in(index);
    if (covered == WHOLE) return;
    if ((covered | free) != 0)
        mb_pieces_recover_lost(index, WHOLE & ~(covered | free));
    else if (!mb_map_is_free(&mb_arena_map, index))
        recover_unit(index);
}

// Units that are free, or slabs, and those that a block covers whole are passed over.
void mb_arena_recover_units(void) {
    size_t covered = 0;
    for (size_t index = mb_arena_next_other(0), next; index != MB_NO_UNIT; index = mb_arena_next_other(next)) {
        struct mb_unit *unit = mb_unit_at(index);
        enum mb_unit_kind kind = mb_unit_kind(unit);
        next = index + 1;
        if (kind == MB_UNIT_HOLE || kind >= MB_UNIT_HARD_SLAB) {
            next = mb_max(next, index + unit->slab.large_pieces / MB_UNIT_PIECES);
            continue;
        }
        recover_uncovered(index, covered_pieces(unit, mb_pieces_in(index), &covered));
        next = mb_max(next, covered / MB_UNIT_PIECES);
    }
    mb_pieces_recover();
    size_t warm = mb_map_count_warm_free(&mb_arena_map, mb_arena_units());
    atomic_store_explicit(&mb_purge_shared.warm_free_units, warm, memory_order_relaxed);
}
