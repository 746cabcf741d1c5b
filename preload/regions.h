// The region family as a public API. Its include lines are the one list of what is installed: with each header named here come the
// headers that it needs (preload/public_headers.cmake), and of each the functions between MB_PUBLIC_BEGIN and MB_PUBLIC_END
// are exported (scripts/check-exports). mbmalloc-regions(3) says how to use them.
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
