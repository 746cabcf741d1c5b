// What: the statistics that mallinfo and its kin need, by a walk over the descriptors; and malloc_trim.
#include <stdint.h>

#include "core/front/malloc.h"
#include "core/guarded/guarded.h"
#include "core/heap/heaps.h"
#include "core/large/large_count.h"
#include "core/large/large_keep.h"
#include "core/large/outside.h"
#include "core/process/background.h"
#include "core/process/foreign.h"
#include "core/process/fork.h"
#include "core/process/init.h"
#include "core/process/thread.h"
#include "core/region/arena.h"
#include "core/region/huge.h"
#include "core/region/pieces.h"
#include "core/small/commons.h"
#include "core/small/idle.h"
#include "core/small/own.h"

// --- counting -------------------------------------------------------------------------------------------------------

static void count_slab(const struct mb_unit *unit, struct mb_stats *out) {
    uint32_t free = mb_slab_count_free(unit), carved = MB_PEEK(unit->slab.carved);
    out->slabs++;
    out->slab_bytes += MB_UNIT_BYTES;
    out->free_blocks += free;
    out->free_block_bytes += (size_t)free * MB_PEEK(unit->slab.block_bytes);
    if (carved <= free) return;
    out->live_blocks += carved - free;
    out->live_bytes += (size_t)(carved - free) * MB_PEEK(unit->slab.block_bytes);
}

static void count_large(struct mb_unit *unit, uint32_t offset, struct mb_stats *out) {
    const struct mb_slab *large = mb_large_in_half(unit, offset);
    if (large == NULL || mb_large_is_kept(large)) return;
    out->live_blocks++;
    out->large_blocks++;
    out->live_bytes += MB_PEEK(large->large_bytes);
    out->large_bytes += MB_PEEK(large->large_bytes);
}

static void count_units(struct mb_stats *out) {
    size_t end = mb_arena_units();
    for (size_t i = 0; i < end; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) == MB_UNIT_SLAB) count_slab(unit, out);
        count_large(unit, 0, out);
        count_large(unit, MB_UNIT_BYTES / 2, out);
    }
}

static void count_heap(const struct mb_heap *heap, struct mb_stats *out) {
    out->blocks_served += mb_heap_served(heap);
    out->large_served += atomic_load_explicit(&heap->shared.large_served, memory_order_relaxed);
}

static void count_heaps(struct mb_stats *out) {
    for (const struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) count_heap(heap, out);
    for (unsigned i = 0; i < MB_COMMONS; i++) out->blocks_served += mb_heap_served(mb_commons_at(i));
    out->heaps = mb_heaps_in_use();
    out->heaps_ever = mb_heaps_ever();
}

static void count_arena(struct mb_stats *out) {
    struct mb_outside_totals outside = mb_outside_totals();
    out->committed_bytes = (mb_arena_units() << MB_UNIT_SHIFT) + outside.bytes;
    out->reserved_bytes = mb_arena_reserved_bytes() + outside.bytes;
    out->warm_free_bytes = (mb_background_warm_units() + mb_large_kept_units()) << MB_UNIT_SHIFT;
    out->metadata_bytes = mb_arena_metadata_bytes();
    out->huge_wished_bytes = mb_huge_wished_bytes();
    out->spans_taken = mb_arena_spans_taken();
    out->purged_bytes = mb_arena_purged_bytes();
    out->outside_bytes = outside.bytes;
    out->large_blocks_max = mb_large_most().blocks;
    out->large_bytes_max = mb_large_most().bytes;
    struct mb_guarded_totals guarded = mb_guarded_totals();
    out->live_blocks += outside.blocks + guarded.blocks;
    out->live_bytes += outside.bytes + guarded.bytes;
    out->large_blocks += outside.blocks;
    out->large_bytes += outside.bytes;
}

void mb_stats_get(struct mb_stats *out) {
    *out = (struct mb_stats){0};
    const struct mb_calls *other = mb_other_copy();
    if (other != NULL) {
        other->stats_get(out);
        return;
    }
    mb_fork_check();
    count_units(out);
    count_heaps(out);
    count_arena(out);
}

// --- trim -----------------------------------------------------------------------------------------------------------

bool mb_trim(size_t keep_bytes) {
    const struct mb_calls *other = mb_other_copy();
    if (other != NULL) return other->trim(keep_bytes);
    mb_fork_before_giving();
    struct mb_heap *heap = mb_heap_self;
    if (mb_heap_is_real(heap)) mb_own_release_all(heap);
    mb_commons_release();
    mb_background_claim_all();
    mb_large_flush();
    size_t warm = mb_background_warm_units();
    size_t keep = keep_bytes >> MB_UNIT_SHIFT;
    bool given = mb_idle_purge_all() > 0;
    if (warm > keep && mb_pieces_purge() > 0) given = true;
    warm = mb_arena_warm_free_units();
    if (keep == 0) return (mb_arena_decommit_long() > 0 && warm > 0) || given;
    return (warm > keep && mb_arena_purge_any(warm - keep) > 0) || given;
}
