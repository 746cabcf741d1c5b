// The names that ask the allocator about itself or tune it, and the names of our own header.
//
// What: the statistics in glibc's formats, malloc_trim, mallopt. Numbers are those of mb_stats_get: all of
// the process, blocks in flight aside. Here "arena" counts all memory from the system, large blocks included.
// Who: any thread.
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "core/base/print.h"
#include "core/front/malloc.h"
#include "platform/bits.h"
#include "platform/compiler.h"
#include "platform/malloc_names.h"
#include "preload/calls.h"
#include "preload/mbmalloc.h"

enum { STDERR = 2 };

MB_EXPORT int malloc_trim(size_t keep_bytes) { return mb_trim(keep_bytes) ? 1 : 0; }

// --- statistics ---------------------------------------------------------------------------------------------------------

// What every format below is made of. system = live + unused.
struct totals {
    size_t system, live, unused;
    struct mb_stats stats;
};

static void totals_get(struct totals *t) {
    mb_stats_get(&t->stats);
    t->live = t->stats.live_bytes;
    t->system = mb_max(t->stats.committed_bytes, t->live);
    t->unused = t->system - t->live;
}

// keepcost: what malloc_trim(0) could give back at once.
MB_EXPORT struct mallinfo2 mallinfo2(void) {
    struct totals t;
    totals_get(&t);
    return (struct mallinfo2){
        .arena = t.system,
        .ordblks = t.stats.slabs,
        .hblks = t.stats.large_blocks,
        .hblkhd = t.stats.large_bytes,
        .uordblks = t.live,
        .fordblks = t.unused,
        .keepcost = t.stats.warm_free_bytes,
    };
}

// What does not fit stops at the largest int; glibc's wraps.
static int to_int(size_t n) { return n > INT_MAX ? INT_MAX : (int)n; }

MB_EXPORT struct mallinfo __libc_mallinfo(void) {
    struct mallinfo2 wide = mallinfo2();
    return (struct mallinfo){
        .arena = to_int(wide.arena),
        .ordblks = to_int(wide.ordblks),
        .hblks = to_int(wide.hblks),
        .hblkhd = to_int(wide.hblkhd),
        .uordblks = to_int(wide.uordblks),
        .fordblks = to_int(wide.fordblks),
        .keepcost = to_int(wide.keepcost),
    };
}

MB_EXPORT struct mallinfo mallinfo(void) { return __libc_mallinfo(); }

static void write_free(FILE *out, const struct totals *t) {
    size_t spans = mb_min(t->stats.warm_free_bytes, t->unused);
    fprintf(out, "<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n", t->stats.slabs, t->unused - spans);
    fprintf(out, "<total type=\"rest\" count=\"%d\" size=\"%zu\"/>\n", spans != 0, spans);
}

static void write_system(FILE *out, const struct totals *t) {
    fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n", t->system, t->system);
    fprintf(out, "<aspace type=\"total\" size=\"%zu\"/>\n", t->stats.reserved_bytes);
    fprintf(out, "<aspace type=\"mprotect\" size=\"%zu\"/>\n", t->system);
}

// glibc's elements, for one heap that is the whole process. Its `fast` and `rest` are free chunks in bins and elsewhere: here
// what is free inside slabs (count: the slabs) and free spans with pages. What is committed stays so: current is also maximum.
MB_EXPORT int malloc_info(int options, FILE *out) {
    if (options != 0) return EINVAL;
    struct totals t;
    totals_get(&t);
    fprintf(out, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n");
    write_free(out, &t);
    write_system(out, &t);
    fprintf(out, "</heap>\n");
    write_free(out, &t);
    fprintf(out, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", t.stats.large_blocks, t.stats.large_bytes);
    write_system(out, &t);
    fprintf(out, "</malloc>\n");
    return 0;
}

// glibc's form: a name of 16 letters, then the number in at least 10 places.
static void put_number(const char *name, size_t value) {
    struct mb_line line = {0};
    mb_line_text(&line, name);
    mb_line_text(&line, " = ");
    for (size_t limit = 1000000000; limit > 1 && value < limit; limit /= 10) mb_line_text(&line, " ");
    mb_line_number(&line, value);
    mb_line_write(&line, STDERR);
}

static void put_title(const char *title) {
    struct mb_line line = {0};
    mb_line_text(&line, title);
    mb_line_write(&line, STDERR);
}

MB_EXPORT void malloc_stats(void) {
    int saved = errno;
    struct totals t;
    totals_get(&t);
    put_title("Arena 0:");
    put_number("system bytes    ", t.system - mb_min(t.stats.large_bytes, t.system));
    put_number("in use bytes    ", t.live - t.stats.large_bytes);
    put_title("Total (incl. mmap):");
    put_number("system bytes    ", t.system);
    put_number("in use bytes    ", t.live);
    put_number("large blocks    ", t.stats.large_blocks);
    put_number("large bytes     ", t.stats.large_bytes);
    errno = saved;
}

// --- tuning -------------------------------------------------------------------------------------------------------------

// 1: accepted. glibc's limits for its own lists and maps say nothing about this allocator, so any value will do; a request to
// fill blocks is refused unless it asks for none, and what glibc does not know either is refused.
static int tune(int parameter, int value) {
    switch (parameter) {
    case M_MXFAST:
    case M_NLBLKS:
    case M_GRAIN:
    case M_KEEP:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_ARENA_TEST:
    case M_ARENA_MAX: return 1;
    case M_PERTURB: return value == 0 ? 1 : 0;
    default: return 0;
    }
}

MB_EXPORT int mallopt(int parameter, int value) { return tune(parameter, value); }

MB_EXPORT int __libc_mallopt(int parameter, int value) {
    return parameter == MB_CALLS_QUESTION ? mb_calls_answer(value) : tune(parameter, value);
}

int mb_self_libc_mallopt(int parameter, int value) __attribute__((alias("__libc_mallopt")));


// --- our own header -----------------------------------------------------------------------------------------------------

MB_EXPORT const char *mb_version_string(void) { return MBMALLOC_VERSION; }
MB_EXPORT int mb_serves(const void *p) { return mb_calls_serving()->owns(p) ? 1 : 0; }
