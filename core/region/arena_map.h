// The map of malloc's units (core/region/unit_map.h), for the arena's own files. Any thread.
#ifndef MB_CORE_REGION_ARENA_MAP_H
#define MB_CORE_REGION_ARENA_MAP_H

#include "core/region/unit_map.h"
#include "platform/compiler.h"

extern MB_HIDDEN const struct mb_unit_map mb_arena_map;

// Makes the map reach `units`; false when metadata is refused. Under the arena's lock.
bool mb_arena_map_extend(size_t units);

#endif
