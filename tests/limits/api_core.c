// The allocator under test is the core with its prefixed names; the C library's malloc serves everything else.
#include "core/front/malloc.h"
#include "tests/limits/blocks.h"

static void trim_all(void) { mb_trim(0); }

const struct mem_api *mem_api_core(void) {
    static const struct mem_api api = {mb_malloc, mb_calloc, mb_realloc, mb_memalign, mb_free, trim_all, true};
    return &api;
}
