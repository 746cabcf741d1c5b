// Pages that nobody can touch: guards around blocks and slabs, and all of what waits in quarantine.
//
// What: by advice (MADV_GUARD_INSTALL, Linux 6.13: no mapping of its own), else, and where it is longer than a huge
// page, by taking the access away, which costs up to two mappings; of these there are at most MB_WALLS_MAX, so that a
// program keeps most of vm.max_map_count. Contents are lost, and the memory goes back to the system.
// Who: any thread, for pages it holds.
#ifndef MB_CORE_HARDENED_WALL_H
#define MB_CORE_HARDENED_WALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mb_wall {
    MB_WALL_NONE = 0,   // refused: the pages can be touched as before
    MB_WALL_ADVICE = 1, // by a mark in the page table
    MB_WALL_ACCESS = 2, // by a mapping without access
};

enum { MB_WALLS_MAX = 8192, MB_WALL_SHARE = 8 };

// Makes whole pages inaccessible. `must`: also beyond MB_WALLS_MAX.
enum mb_wall mb_wall_up(void *p, size_t bytes, bool must);
// Likewise, but by advice alone: no mapping of its own. False: refused.
bool mb_wall_by_advice(void *p, size_t bytes);
// Makes them usable again, zero, as far as they were walls. `by_access`: some may have been put up so. False: the
// system refuses.
bool mb_wall_down(void *p, size_t bytes, bool by_access);
// For one in so many: whether a guard that would cost mappings shall be put up here. True where advice works.
bool mb_wall_wanted(size_t number);
// So many walls by access are gone with their span.
void mb_wall_forget(size_t count);

#endif
