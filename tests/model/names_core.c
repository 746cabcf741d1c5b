// What: binds the model's names to the core's API (core/front/malloc.h), linked statically beside the C library's
// malloc.
#include "tests/model/names.h"

#include <errno.h>

#include "core/front/malloc.h"

const char *names_start(void) { return "mbcore"; }

bool names_strict(void) { return true; }

void *names_malloc(size_t bytes) { return mb_malloc(bytes); }
void *names_calloc(size_t count, size_t bytes) { return mb_calloc(count, bytes); }
void *names_realloc(void *p, size_t bytes) { return mb_realloc(p, bytes); }
void *names_memalign(size_t align, size_t bytes) { return mb_memalign(align, bytes); }
void *names_aligned_alloc(size_t align, size_t bytes) { return mb_memalign(align, bytes); }

// The core has no function of this shape; the real one is the preload layer's.
int names_posix_memalign(void **out, size_t align, size_t bytes) {
    if (align < sizeof(void *)) return EINVAL;
    int saved = errno;
    void *p = mb_memalign(align, bytes);
    int error = p != NULL ? 0 : errno;
    if (p != NULL) *out = p;
    if (p == NULL) errno = saved;
    return error;
}

void names_free(void *p) { mb_free(p); }
void names_free_sized(void *p, size_t bytes) { mb_free_sized(p, bytes); }
void names_free_aligned_sized(void *p, size_t align, size_t bytes) { mb_free_aligned_sized(p, align, bytes); }
size_t names_usable_size(void *p) { return mb_usable_size(p); }
void names_trim(size_t keep_bytes) { (void)mb_trim(keep_bytes); }

size_t names_live_bytes(void) {
    struct mb_stats stats;
    mb_stats_get(&stats);
    return stats.live_bytes;
}

bool names_live_blocks(size_t *out) {
    struct mb_stats stats;
    mb_stats_get(&stats);
    *out = stats.live_blocks;
    return true;
}
