// A run of units that an arena (core/region/arena.h) or a member's source (core/region/span_source.h) has handed out.
#ifndef MB_CORE_REGION_SPAN_H
#define MB_CORE_REGION_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static const size_t MB_NO_UNIT = SIZE_MAX;

struct mb_span {
    size_t first; // unit index
    size_t units;
    bool zero;    // every byte is known to be zero
};

#endif
