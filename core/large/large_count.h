// How many large blocks there are, and have been at most: what malloc_stats calls max mmap regions and bytes.
//
// What: those that are kept for reuse count. Who: any thread, relaxed: when two threads take blocks at once a maximum
// may be a little low.
#ifndef MB_CORE_LARGE_LARGE_COUNT_H
#define MB_CORE_LARGE_LARGE_COUNT_H

#include <stddef.h>

struct mb_large_most {
    size_t blocks, bytes;
};
struct mb_large_most mb_large_most(void);

// A block has come / has another length now / goes.
void mb_large_count_taken(size_t bytes);
void mb_large_count_resized(size_t from, size_t to);
void mb_large_count_given(size_t bytes);

#endif
