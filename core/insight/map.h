// What each unit of the arena is used for (slab, large block, free ...), for `mbmalloc map`. Any thread; while other
// threads allocate the picture is approximate.
#ifndef MB_CORE_INSIGHT_MAP_H
#define MB_CORE_INSIGHT_MAP_H

#include <stddef.h>

#include "core/told/monitor_page.h"

// Describes at most `count` units from `first` on; units in all.
size_t mb_map_units(size_t first, struct mb_monitor_unit *out, size_t count);

#endif
