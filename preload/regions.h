// The public header of the region family: regions, arenas, pools, zones and their layers, for mbmalloc-regions(3).
//
// Its include lines are the list of what is installed: preload/public_headers.cmake copies each header named here, with
// the headers that it includes in turn, and scripts/check-exports exports the functions between MB_PUBLIC_BEGIN and
// MB_PUBLIC_END of each.
#ifndef MB_PRELOAD_REGIONS_H
#define MB_PRELOAD_REGIONS_H

#include "core/base/allocator.h"
#include "core/base/bump.h"
#include "core/base/bump_shared.h"
#include "core/family/family.h"
#include "core/family/zone.h"
#include "core/harden/fault_os.h"
#include "core/layout/bump_arena.h"
#include "core/layout/bump_arena_shared.h"
#include "core/layout/remote_slab.h"
#include "core/layout/size_classed.h"
#include "core/layout/slab_pool.h"
#include "core/layout/stack_arena.h"
#include "core/layout/system_shared.h"
#include "core/region/locked.h"
#include "core/region/region.h"
#include "core/region/region_allocator.h"

#endif
