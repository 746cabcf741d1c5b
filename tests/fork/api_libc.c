// The allocator under test is the process's malloc.
#include <malloc.h>
#include <stdlib.h>

#include "tests/fork/api.h"

static void trim(void) { malloc_trim(0); }
static size_t live_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

const struct api api = {malloc, calloc, realloc, memalign, free, malloc_usable_size, trim, live_bytes};
