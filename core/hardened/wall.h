// Inaccessible pages: the guards around blocks and slabs, and everything that waits in quarantine.
//
// What: made by advice (MADV_GUARD_INSTALL, Linux 6.13), which needs no mapping of its own. Where the kernel lacks it,
// or the range is longer than a huge page, access is taken away, which costs up to two mappings; there are at most
// MB_WALLS_MAX of these, so that most of vm.max_map_count remains for the program. The pages lose their contents, and
// the memory returns to the system.
// Who: any thread, for pages that it owns.
#ifndef MB_CORE_HARDENED_WALL_H
#define MB_CORE_HARDENED_WALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mb_wall {
    MB_WALL_NONE = 0,   // refused: the pages are accessible as before
    MB_WALL_ADVICE = 1, // by a mark in the page table
    MB_WALL_ACCESS = 2, // by a mapping without access
};

enum { MB_WALLS_MAX = 8192, MB_WALL_SHARE = 8 };

// Makes whole pages inaccessible. `must`: even if there are MB_WALLS_MAX already.
enum mb_wall mb_wall_up(void *p, size_t bytes, bool must);
// The same by advice alone, without a mapping of its own. False: the system refuses.
bool mb_wall_by_advice(void *p, size_t bytes);
// Makes pages accessible again; those that were walls are zero. `by_access`: some may be walls of kind MB_WALL_ACCESS.
// False: the system refuses.
bool mb_wall_down(void *p, size_t bytes, bool by_access);
// Once half of MB_WALLS_MAX stand, guards that would cost mappings are put up for one block in MB_WALL_SHARE: whether
// this one, number `number`, gets one. Always true where advice works.
bool mb_wall_wanted(size_t number);
// Subtracts `count` walls of kind MB_WALL_ACCESS, which have ended with their span.
void mb_wall_forget(size_t count);

#endif
