// The region as a member of the family: the table that its `allocator` points to.
#ifndef MB_CORE_REGION_REGION_MEMBER_H
#define MB_CORE_REGION_REGION_MEMBER_H

#include "core/region/region.h"

// A region without a mapping: every call fails cleanly, by name and through the interface.
void mb_region_clear(struct mb_region *region);

#endif
