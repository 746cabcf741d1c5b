// The allocator under test is malloc by its standard names: the preloaded library, or the C library alone.
#include <malloc.h>
#include <stdlib.h>

#include "tests/limits/blocks.h"
#include "tests/limits/measure.h"

static void trim_all(void) { malloc_trim(0); }

const struct mem_api *mem_api_libc(void) {
    static struct mem_api api = {malloc, calloc, realloc, memalign, free, trim_all, false};
    api.ours = measure_under_mbmalloc();
    return &api;
}
