// Looks at the whole heap: when asked to (mb_check, statistics), and when the process ends (options check, leaks).
#include "core/hardened/hardened.h"
#include "core/hardened/large.h"
#include "core/hardened/leaks.h"
#include "core/hardened/small.h"
#include "core/hardened/wrong.h"
#include "core/large/outside.h"
#include "core/process/fork.h"
#include "core/process/init.h"
#include "core/region/arena.h"
#include "core/told/options.h"
#include "core/told/stats.h"

static void found_by_check(enum mb_hard_fault fault, const void *p) { mb_hard_wrong(MB_OP_CHECK, fault, p); }
static void found_at_exit(enum mb_hard_fault fault, const void *p) { mb_hard_wrong(MB_OP_EXIT, fault, p); }

static size_t check(void (*found)(enum mb_hard_fault fault, const void *p)) {
    mb_fork_check();
    return mb_hard_small_sweep(found) + mb_hard_large_sweep(found);
}

size_t mb_hard_check(void) { return check(found_by_check); }

void mb_hard_stats_get(struct mb_stats *out) {
    struct mb_hard_small_totals small;
    struct mb_hard_large_totals large;
    struct mb_outside_totals outside = mb_outside_totals();
    mb_fork_check();
    mb_hard_small_count(&small);
    mb_hard_large_count(&large);
    *out = (struct mb_stats){
        .live_bytes = small.bytes + large.bytes + outside.bytes,
        .live_blocks = small.blocks + large.blocks + outside.blocks,
        .large_bytes = large.bytes + outside.bytes,
        .large_blocks = large.blocks + outside.blocks,
        .committed_bytes = (mb_arena_units() << MB_UNIT_SHIFT) + outside.bytes,
        .reserved_bytes = mb_arena_reserved_bytes() + outside.bytes,
        .warm_free_bytes = mb_arena_warm_free_units() << MB_UNIT_SHIFT,
        .slab_bytes = small.slabs << MB_UNIT_SHIFT,
        .slabs = small.slabs,
        .metadata_bytes = mb_arena_metadata_bytes(),
        .blocks_served = small.served,
        .large_served = large.served,
        .spans_taken = mb_arena_spans_taken(),
        .purged_bytes = mb_arena_purged_bytes(),
        .outside_bytes = outside.bytes,
    };
}

// Finds damage to blocks that were not freed, resized or allocated again since.
__attribute__((destructor)) static void look_at_exit(void) {
    if (!mb_is_hardened()) return;
    if (mb_option.leaks != 0) mb_fork_check();
    if (mb_option.check != 0) check(found_at_exit);
    if (mb_option.leaks != 0) mb_hard_leaks_tell((unsigned)mb_option.leaks);
}
