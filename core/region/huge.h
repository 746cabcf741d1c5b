// Transparent huge pages for the part of the arena where slabs lie, once the heap is large.
//
// What: a page fault costs as much as hundreds of mallocs, and one for 2 MiB about as much as a handful for 4 KiB. So when a slab takes
// the first unit of 2 MiB that nobody has touched, and the heap is so large that up to 2 MiB more does not matter, the system
// is asked for a huge page there. Large blocks do not ask: who knows which of their pages will ever be used. Where the system's mode
// is `never` nothing changes. Off unless the option huge_pages=1 asks for it.
// (Measured: a heap of 150 MB that is used at random gains 10 %, survivors 20 %; but a program that frees and grows again clears a
// huge page for each unit that was given back: phases lose 50 %. So it is a choice.)
// Who: any thread.
#ifndef MB_CORE_REGION_HUGE_H
#define MB_CORE_REGION_HUGE_H

#include <stdbool.h>
#include <stddef.h>

// Before the first span is taken.
void mb_huge_init(bool wanted);

// A slab has taken this unit, whose pages had not been touched.
void mb_huge_unit_taken(size_t unit);

#endif
