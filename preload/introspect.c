// Functions about the allocator itself: mallinfo, mallinfo2, malloc_stats, malloc_info, malloc_trim, mallopt, and
// mb_version_string and mb_serves of mbmalloc.h.
//
// What: statistics in glibc's formats, with the numbers of mb_stats_get: of the whole process, without calls that are
// in progress.
// Who: any thread.
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "core/base/print.h"
#include "core/front/malloc.h"
#include "core/process/tunables.h"
#include "platform/bits.h"
#include "platform/compiler.h"
#include "platform/malloc_names.h"
#include "preload/calls.h"
#include "preload/mbmalloc.h"

enum { STDERR = 2 };

MB_EXPORT int malloc_trim(size_t keep_bytes) { return mb_trim(keep_bytes) ? 1 : 0; }

// --- statistics ------------------------------------------------------------------------------------------------------

// The figures of all formats below, by glibc's terms. Large blocks are its "mapped" ones and are counted nowhere else;
// all other memory is one arena, and system = live + unused. Of `unused`, `fast` is free blocks of slabs, and the rest
// free spans that still have pages; memory that was given back to the system is not counted.
struct totals {
    size_t system, live, unused, fast, mapped;
    size_t most; // an upper bound of `system` so far
    struct mb_stats stats;
};

static void totals_get(struct totals *t) {
    mb_stats_get(&t->stats);
    t->mapped = t->stats.large_bytes;
    t->live = t->stats.live_bytes - mb_min(t->mapped, t->stats.live_bytes);
    t->system = mb_max(t->stats.slab_bytes + t->stats.warm_free_bytes, t->live);
    t->most = mb_max(t->stats.committed_bytes, t->mapped + t->system) - t->mapped;
    t->unused = t->system - t->live;
    t->fast = mb_min(t->stats.free_block_bytes, t->unused);
}

// The number of free chunks: the free blocks of slabs, and all free spans together as one.
static size_t free_pieces(const struct totals *t) { return t->stats.free_blocks + (t->unused != t->fast); }

// keepcost is what malloc_trim(0) could give back at once.
MB_EXPORT struct mallinfo2 mallinfo2(void) {
    struct totals t;
    totals_get(&t);
    return (struct mallinfo2){
        .arena = t.system,
        .ordblks = free_pieces(&t),
        .smblks = t.stats.free_blocks,
        .hblks = t.stats.large_blocks,
        .hblkhd = t.mapped,
        .fsmblks = t.fast,
        .uordblks = t.live,
        .fordblks = t.unused,
        .keepcost = mb_min(t.stats.warm_free_bytes, t.unused),
    };
}

// The largest int for what does not fit (glibc's wraps around).
static int to_int(size_t n) { return n > INT_MAX ? INT_MAX : (int)n; }

MB_EXPORT struct mallinfo __libc_mallinfo(void) {
    struct mallinfo2 wide = mallinfo2();
    return (struct mallinfo){
        .arena = to_int(wide.arena),
        .ordblks = to_int(wide.ordblks),
        .smblks = to_int(wide.smblks),
        .hblks = to_int(wide.hblks),
        .hblkhd = to_int(wide.hblkhd),
        .fsmblks = to_int(wide.fsmblks),
        .uordblks = to_int(wide.uordblks),
        .fordblks = to_int(wide.fordblks),
        .keepcost = to_int(wide.keepcost),
    };
}

MB_EXPORT struct mallinfo mallinfo(void) { return __libc_mallinfo(); }

static void write_free(FILE *out, const struct totals *t) {
    size_t rest = t->unused - t->fast;
    fprintf(out, "<total type=\"fast\" count=\"%zu\" size=\"%zu\"/>\n", t->stats.free_blocks, t->fast);
    fprintf(out, "<total type=\"rest\" count=\"%d\" size=\"%zu\"/>\n", rest != 0, rest);
}

static void write_system(FILE *out, const struct totals *t) {
    fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n", t->system, t->most);
    fprintf(out, "<aspace type=\"total\" size=\"%zu\"/>\n", mb_max(t->stats.reserved_bytes, t->mapped + t->most) - t->mapped);
    fprintf(out, "<aspace type=\"mprotect\" size=\"%zu\"/>\n", t->most);
}

// glibc's XML elements, with one heap for the whole process. Its `fast` and `rest` are free chunks in bins and
// elsewhere; here free blocks in slabs, and free spans. As in glibc, the sizes of system and aspace leave out mapped
// blocks. The maximum is the committed memory.
MB_EXPORT int malloc_info(int options, FILE *out) {
    if (options != 0) return EINVAL;
    struct totals t;
    totals_get(&t);
    fprintf(out, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n");
    write_free(out, &t);
    write_system(out, &t);
    fprintf(out, "</heap>\n");
    write_free(out, &t);
    fprintf(out, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", t.stats.large_blocks, t.mapped);
    write_system(out, &t);
    fprintf(out, "</malloc>\n");
    return 0;
}

// As glibc prints it: the name in 16 characters, then the number in at least 10.
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
    put_number("system bytes    ", t.system);
    put_number("in use bytes    ", t.live);
    put_title("Total (incl. mmap):");
    put_number("system bytes    ", t.system + t.mapped);
    put_number("in use bytes    ", t.live + t.mapped);
    put_number("max mmap regions", mb_max(t.stats.large_blocks_max, t.stats.large_blocks));
    put_number("max mmap bytes  ", mb_max(t.stats.large_bytes_max, t.mapped));
    errno = saved;
}

// --- tuning ----------------------------------------------------------------------------------------------------------

static int tune(int parameter, int value) { return mb_tunables_set(parameter, value) ? 1 : 0; }

MB_EXPORT int mallopt(int parameter, int value) { return tune(parameter, value); }

MB_EXPORT int __libc_mallopt(int parameter, int value) {
    return parameter == MB_CALLS_QUESTION ? mb_calls_answer(value) : tune(parameter, value);
}

int mb_self_libc_mallopt(int parameter, int value) __attribute__((alias("__libc_mallopt")));


// --- our own header --------------------------------------------------------------------------------------------------

MB_EXPORT const char *mb_version_string(void) { return MBMALLOC_VERSION; }
MB_EXPORT int mb_serves(const void *p) { return mb_calls_serving()->owns(p) ? 1 : 0; }
