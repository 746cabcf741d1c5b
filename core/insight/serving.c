// What: statistics where the default front of this copy does not serve the process: of profile=hardened, of another
// copy of the library, of the C library.
#include <string.h>

#include "core/base/mistake.h"
#include "core/front/malloc.h"
#include "core/heap/sampler.h"
#include "core/insight/count.h"
#include "core/process/init.h"
#include "core/profile/profile.h"
#include "core/told/options.h"

// They know nothing of pages.
static void count_other(struct mb_count *out) {
    struct mb_stats stats;
    mb_stats_get(&stats);
    memset(out, 0, sizeof *out);
    out->all.size = sizeof out->all;
    out->all.live_bytes = stats.live_bytes;
    out->all.live_blocks = stats.live_blocks;
    out->all.large_live_bytes = stats.large_bytes;
    out->all.large_live_blocks = stats.large_blocks;
    out->all.committed_bytes = stats.committed_bytes;
    out->all.reserved_bytes = stats.reserved_bytes;
    out->all.allocations = stats.blocks_served + stats.large_served;
    out->all.large_allocations = stats.large_served;
    out->all.spans_taken = stats.spans_taken;
    out->all.purged_bytes = stats.purged_bytes;
    out->all.threads = stats.heaps;
    out->all.threads_ever = stats.heaps_ever;
    if (out->all.allocations > stats.live_blocks) out->all.frees = out->all.allocations - stats.live_blocks;
}

// Blocks of before a later session's start have no samples, so that only the first session, begun by the option, tells
// what rounding costs.
static void estimate(struct mb_statistics *all) {
    bool is_whole = mb_option.heap_profile != 0 && mb_sampling_session() == 1;
    all->requested_bytes = mb_sampling_session() != 0 ? mb_profile_live_bytes() : 0;
    bool is_known = is_whole && all->requested_bytes != 0 && all->live_bytes > all->requested_bytes;
    all->rounding_bytes = is_known ? all->live_bytes - all->requested_bytes : 0;
}

void mb_count_serving(struct mb_count *out) {
    if (mb_other_copy() != NULL)
        count_other(out);
    else
        mb_count(out);
    out->all.mistakes = mb_mistake_count();
    estimate(&out->all);
}
