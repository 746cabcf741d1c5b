// Zones: heaps of their own that any thread may use: made, named, limited, measured, and given up with all their blocks
// at once.
//
// What: a size-classed allocator (core/layout/size_classed.h) in a range of its own behind a lock. Blocks of a zone are
// no blocks of malloc: free refuses them, and mb_zone_free those of malloc and of other zones. What is wrong with a
// pointer ends the process, as with free.
// Who: any thread. Not safe in signal handlers. In a forked child a zone that another thread was using at the moment of
// the fork serves nothing any more: allocations fail, frees do nothing.
#ifndef MB_CORE_FAMILY_ZONE_H
#define MB_CORE_FAMILY_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

struct mb_zone;

struct mb_zone_statistics {
    size_t size;                      // sizeof(struct mb_zone_statistics), set by the caller
    uint64_t live_blocks, live_bytes; // bytes: usable ones
    uint64_t allocations, frees, failures;
    uint64_t limit_bytes;
    char name[32];
};

MB_PUBLIC_BEGIN

// A zone of at most `max_bytes` of address space and memory, named for reports (the first 31 characters). NULL:
// refused, errno says why.
struct mb_zone *mb_zone_create(const char *name, size_t max_bytes);

// Gives everything back; live blocks go with it. Nobody uses the zone any more. NULL is nothing.
void mb_zone_destroy(struct mb_zone *zone);

// As malloc, calloc, realloc, aligned_alloc and free. NULL and ENOMEM beyond the limit.
void *mb_zone_malloc(struct mb_zone *zone, size_t bytes);
void *mb_zone_calloc(struct mb_zone *zone, size_t count, size_t bytes);
void *mb_zone_realloc(struct mb_zone *zone, void *p, size_t bytes);
void *mb_zone_aligned_alloc(struct mb_zone *zone, size_t align, size_t bytes);
void mb_zone_free(struct mb_zone *zone, void *p);

// Usable bytes of a live block of the zone; 0: none.
size_t mb_zone_usable_size(struct mb_zone *zone, const void *p);

// Fills *out, whose `size` the caller has set. 1: done.
int mb_zone_statistics_get(struct mb_zone *zone, struct mb_zone_statistics *out);

// Gives the pages of what is free back to the system. Bytes given back.
size_t mb_zone_trim(struct mb_zone *zone);

MB_PUBLIC_END

#endif
