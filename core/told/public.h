// Options, statistics, heap profile, blocks and limits for programs, in C and C++: part of mbmalloc.h. mbmalloc(3) has
// an example of each.
//
// Who: any thread. No function allocates; those that write, write to a descriptor.
#ifndef MB_CORE_TOLD_PUBLIC_H
#define MB_CORE_TOLD_PUBLIC_H

#include <stddef.h>
#include <stdint.h>

#include "core/told/statistics.h"
#include "platform/compiler.h"

MB_PUBLIC_BEGIN

// 1 when malloc and free of this process are mbmalloc's, else 0: another malloc came first, or `only` or `skip` leave
// the program to the libc.
int mb_is_active(void);

// --- options ---------------------------------------------------------------------------------------------------------

// Sets options while the program runs, in the form of MBMALLOC_OPTIONS. 1: done. 0: a name is unknown, a value is bad,
// or an option can only be set before the start; then none is set.
int mb_option_set(const char *text);

// Writes an option's value to a buffer, terminated. Returns its length, as if the buffer were long enough, or -1: no
// such option.
int mb_option_get(const char *name, char *out, size_t bytes);

// --- statistics ------------------------------------------------------------------------------------------------------

// Fills *out, whose `size` the caller has set to sizeof *out. 1: done; 0: `size` is none.
int mb_statistics_get(struct mb_statistics *out);

// Writes them, and what each size class holds, to a descriptor.
void mb_statistics_write(int fd, enum mb_statistics_format format);

// --- heap profile ----------------------------------------------------------------------------------------------------

// Begins to note the call stack of one block in `period` bytes (0: 512 KiB), chosen at random by bytes, from nothing.
// 1: done; 0: it runs already, there is no memory, or another malloc or profile=hardened serves. / Ends it: what was
// noted can still be written.
int mb_heap_profile_start(size_t period);
void mb_heap_profile_stop(void);

// What is allocated from now on and still live when the profile is written counts as growth.
void mb_heap_profile_mark(void);

// Writes it to a descriptor as pprof reads it (gzip): objects and bytes allocated, live, live at the peak, grown since
// the mark. 1: done; 0: see errno.
int mb_heap_profile_write(int fd);

// --- blocks ----------------------------------------------------------------------------------------------------------

// What malloc(bytes) would give: all of it may be used. 0: too much.
size_t mb_good_size(size_t bytes);

// malloc(bytes), and in *got how many bytes may be used. NULL and ENOMEM: *got is 0.
void *mb_alloc_at_least(size_t bytes, size_t *got);

enum mb_kind { MB_KIND_NONE, MB_KIND_SMALL, MB_KIND_LARGE };

struct mb_block_info {
    size_t size;      // sizeof(struct mb_block_info), set by the caller
    const void *base; // where the block begins
    size_t usable_bytes;
    enum mb_kind kind;
    int live;           // 0: it is free
    const void *thread; // thread pointer of the thread whose slab it is, or that made it; NULL: nobody's now
};

// Describes the block that p points to or into, which may be free. 1: there is one; 0: p is no memory of a block of
// ours.
int mb_block_describe(const void *p, struct mb_block_info *out);

// Calls `visit` with each live block until it returns other than 0, and returns that. It must not allocate or free.
// Blocks that other threads allocate or free meanwhile may be missed or seen.
int mb_blocks_visit(int (*visit)(void *context, const struct mb_block_info *block), void *context);

// Looks at the whole heap for damage: every live block's surroundings and every free one. Each fault is reported as by
// the call that would meet it, so the process ends at the first one unless the option on_error says otherwise. How many
// there are; -1: nothing is kept that could tell (only profile=hardened and profile=debug do). While it runs no other
// thread may free or resize a block of more than 32 KiB.
int mb_check(void);

// --- limits ----------------------------------------------------------------------------------------------------------

// Limits the memory that the library holds for blocks (bytes that may have pages; 0: no limit). At `hard` allocations
// fail with ENOMEM. Beyond `soft` all free memory goes back to the system and then `reached` is called (NULL: nothing),
// at most once a second, with what is held. It is called in the middle of malloc or free: it must not allocate or free.
void mb_limit_set(size_t soft, size_t hard, void (*reached)(void *context, size_t held_bytes), void *context);

// What counts against the limits now.
size_t mb_limit_held(void);

MB_PUBLIC_END

#endif
