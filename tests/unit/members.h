// Every allocator of the region family behind the common interface, for tests that apply to all of them.
#ifndef MB_TESTS_UNIT_MEMBERS_H
#define MB_TESTS_UNIT_MEMBERS_H

#include "core/base/allocator.h"

enum { MEMBER_RANGE_BYTES = 4 << 20, MEMBER_SLOT_BYTES = 64 };

struct member {
    const char *name;
    size_t most_bytes;                       // the largest block that it can serve
    enum mb_error (*make)(enum mb_policy policy); // makes it over a lazy region of MEMBER_RANGE_BYTES
    struct mb_allocator *(*allocator)(void);
    void (*unmake)(void);                    // drops it, and the region below
};

extern const struct member members[];
extern const size_t member_count;

#endif
