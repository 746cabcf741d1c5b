// The arena's units in a forked child: those that a thread of the parent had in its hands are free again, and the free
// ones are counted anew.
// Who: the only thread of the child, before it allocates (mb_arena_recover).
#ifndef MB_CORE_REGION_RECOVER_H
#define MB_CORE_REGION_RECOVER_H

void mb_arena_recover_units(void);

#endif
