// The allocator under test is the core with its prefixed names; the C library's malloc serves everything else.
#include "core/front/malloc.h"
#include "tests/fork/api.h"

static size_t usable_size(void *p) { return mb_usable_size(p); }
static void trim(void) { (void)mb_trim(0); }

static size_t live_bytes(void) {
    struct mb_stats stats;
    mb_stats_get(&stats);
    return stats.live_bytes;
}

const struct api api = {mb_malloc, mb_calloc, mb_realloc, mb_memalign, mb_free, usable_size, trim, live_bytes};
