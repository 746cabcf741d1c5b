// The functions of mbmalloc.h (core/told/public.h): options, statistics, heap profile, blocks, limits.
//
// What: thin functions over core/. Where another copy of the library or the C library serves the process, whatever only
// the serving allocator knows is empty.
// Who: any thread.
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <string.h>

#include "core/front/malloc.h"
#include "core/hardened/hardened.h"
#include "core/insight/blocks.h"
#include "core/insight/count.h"
#include "core/insight/profile_write.h"
#include "core/insight/write.h"
#include "core/large/large_span.h"
#include "core/layout/size_class.h"
#include "core/process/init.h"
#include "core/process/relief.h"
#include "core/profile/profile.h"
#include "core/region/limit.h"
#include "core/told/option_value.h"
#include "core/told/options.h"
#include "core/told/public.h"
#include "preload/forward.h"

// Whether this copy of the library serves the process; starts it if need be.
static bool serves(void) { return mb_init() && mb_other_copy() == NULL; }

int mb_is_active(void) { return mb_forward_malloc_is_ours() && mb_forward_free_is_ours() && (serves() || mb_is_hardened()); }

// --- options ---------------------------------------------------------------------------------------------------------

int mb_option_set(const char *text) {
    mb_init();
    return mb_options_set(text) ? 1 : 0;
}

int mb_option_get(const char *name, char *out, size_t bytes) {
    mb_init();
    const struct mb_option_row *row = mb_option_find((struct mb_piece){name, strlen(name)});
    if (row == NULL) return -1;
    struct mb_line line = {0};
    mb_option_print_value(&line, row, &mb_option);
    if (bytes > 0) {
        size_t fits = line.length < bytes ? line.length : bytes - 1;
        memcpy(out, line.text, fits);
        out[fits] = '\0';
    }
    return (int)line.length;
}

// --- statistics ------------------------------------------------------------------------------------------------------

static void count(struct mb_count *out) {
    mb_init();
    mb_count_serving(out);
}

int mb_statistics_get(struct mb_statistics *out) {
    size_t size = out->size;
    if (size < sizeof size) return 0;
    struct mb_count all;
    count(&all);
    memset(out, 0, size);
    memcpy(out, &all.all, size < sizeof all.all ? size : sizeof all.all);
    out->size = size;
    return 1;
}

void mb_statistics_write(int fd, enum mb_statistics_format format) {
    struct mb_count all;
    count(&all);
    mb_count_write(fd, &all, format, true);
}

// --- heap profile ----------------------------------------------------------------------------------------------------

enum { USUAL_PERIOD = 512 << 10 };

int mb_heap_profile_start(size_t period) { return serves() && mb_profile_start(period != 0 ? period : USUAL_PERIOD) == 0 ? 1 : 0; }
void mb_heap_profile_stop(void) { mb_profile_stop(); }
void mb_heap_profile_mark(void) { mb_profile_mark(); }

int mb_heap_profile_write(int fd) {
    int error = mb_profile_write(fd);
    if (error != 0) errno = -error;
    return error == 0 ? 1 : 0;
}

// --- blocks ----------------------------------------------------------------------------------------------------------

size_t mb_good_size(size_t bytes) {
    if (bytes <= MB_MEDIUM_MAX) return mb_class_bytes(mb_class_of(bytes));
    struct mb_large_extent extent;
    return bytes <= PTRDIFF_MAX && mb_large_extent_of(bytes, &extent) ? extent.bytes : 0;
}

void *mb_alloc_at_least(size_t bytes, size_t *got) {
    void *p = (malloc)(bytes);
    *got = p != NULL ? malloc_usable_size(p) : 0;
    return p;
}

// Copies as much of the record as the caller's version of the struct has.
static void copy_info(struct mb_block_info *out, const struct mb_block_info *from) {
    size_t size = out->size;
    memcpy(out, from, size < sizeof *from ? size : sizeof *from);
    out->size = size;
}

int mb_block_describe(const void *p, struct mb_block_info *out) {
    struct mb_block_info info = {.size = sizeof info};
    bool found = serves() && mb_block_find(p, &info);
    copy_info(out, &info);
    return found ? 1 : 0;
}

int mb_blocks_visit(int (*visit)(void *context, const struct mb_block_info *block), void *context) {
    return serves() ? mb_blocks_each(visit, context) : 0;
}

int mb_check(void) {
    mb_init();
    if (!mb_is_hardened()) return -1;
    size_t faults = mb_hard_check();
    return faults < INT_MAX ? (int)faults : INT_MAX;
}

// --- limits ----------------------------------------------------------------------------------------------------------

void mb_limit_set(size_t soft, size_t hard, void (*reached)(void *context, size_t held_bytes), void *context) {
    mb_relief_set_call(reached, context);
    mb_relief_set_limits(soft, hard);
}

size_t mb_limit_held(void) { return atomic_load_explicit(&mb_limit_shared.held_units, memory_order_relaxed) << MB_UNIT_SHIFT; }
