// Where the memory of a pool, a size-classed allocator or a remote slab comes from.
#ifndef MB_CORE_REGION_SOURCE_CONFIG_H
#define MB_CORE_REGION_SOURCE_CONFIG_H

#include "core/base/allocator.h"

// Initialise with MB_SOURCE_CONFIG(max_bytes). May grow at its end.
struct mb_source_config {
    size_t max_bytes;          // of a lazy region of its own, where base is NULL: address space until it is used
    struct mb_allocator *base; // a member with a range, which is taken over
    size_t retain_bytes;       // free memory keeps its pages up to this
    enum mb_policy policy;
};
#define MB_SOURCE_CONFIG(max) {(max), NULL, (size_t)1 << 20, MB_POLICY_ABORT}

#endif
