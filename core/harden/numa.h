// Binds a range that exists already to NUMA nodes, before its first page is touched.
//
// Who: the thread that owns the range. (A region that is still to be made takes MB_REGION_NUMA.)
#ifndef MB_CORE_HARDEN_NUMA_H
#define MB_CORE_HARDEN_NUMA_H

#include "core/base/allocator.h"

// Bit n of the `words` words is node n. MB_BAD_CONFIG where the base has no range, no node is named, or pages at the
// range's start are resident (they would stay where they are; the first 64 MiB are looked at); MB_REFUSED where the
// system does not bind.
enum mb_error mb_numa_start(struct mb_allocator *base, const uint64_t *nodes, size_t words);

#endif
