// What: statistics where the default front of this copy does not serve the process: of profile=hardened, of another
// copy of the library, of the C library.
#include <string.h>

#include "core/base/mistake.h"
#include "core/front/malloc.h"
#include "core/insight/count.h"
#include "core/process/init.h"
#include "core/profile/profile.h"

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

void mb_count_serving(struct mb_count *out) {
    if (mb_other_copy() != NULL)
        count_other(out);
    else
        mb_count(out);
    out->all.mistakes = mb_mistake_count();
    out->all.requested_bytes = mb_profile_live_bytes();
}
