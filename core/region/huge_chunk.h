// What is known of each chunk of 2 MiB, the length of a huge page: whether one is asked for (here called a wish).
//
// What: a byte for each chunk, in pieces that are allocated when huge pages are first requested in their range. A wish
// or its withdrawal may cost two mappings, so they are counted.
// Who: any thread; flags are written relaxed, two threads that write one chunk's may lose one of the two.
#ifndef MB_CORE_REGION_HUGE_CHUNK_H
#define MB_CORE_REGION_HUGE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/region/huge.h"

enum mb_huge_flags {
    MB_HUGE_WISHED = 1,  // a huge page is asked for
    MB_HUGE_DROPPED = 2, // none is wanted any more
    MB_HUGE_COLD = 4,    // all of it was given back, and nothing was taken since,
    MB_HUGE_PARTED = 8,  //   but in parts: the kernel has a table for small pages there, until all is given back at once
    MB_HUGE_SMALL = 16,  // has had small pages, and so may have that table
};

// The first unit of the unit's chunk, which stands for it.
MB_INLINE size_t mb_huge_chunk_of(size_t unit) { return unit - unit % MB_HUGE_CHUNK_UNITS; }

// 0: nothing is known.
uint32_t mb_huge_flags(size_t chunk);

// Makes room to note something of the chunk; false: no memory.
bool mb_huge_make_room(size_t chunk);

// After that, else nothing is noted.
void mb_huge_set_flags(size_t chunk, uint32_t flags);

// Whether the chunk is the arena's and a huge page is asked for there.
bool mb_huge_is_wished(size_t chunk);

// Asks the system for huge pages in so many chunks; false: it refuses.
bool mb_huge_ask(size_t chunk, size_t chunks);

// Withdraws a wish; all of them, and for good, when the mappings that they make have become too many.
void mb_huge_drop(size_t chunk);

// Whether wishes may make more mappings.
bool mb_huge_has_mappings_left(void);

#endif
