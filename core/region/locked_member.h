// The locked region as a member of the family: the table that its `allocator` points to.
#ifndef MB_CORE_REGION_LOCKED_MEMBER_H
#define MB_CORE_REGION_LOCKED_MEMBER_H

#include "core/region/locked.h"

// A locked region without a mapping: every call fails cleanly, by name and through the interface.
void mb_locked_clear(struct mb_locked *locked);

#endif
