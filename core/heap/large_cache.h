// Large blocks that were freed a moment ago, kept whole for the next request of the same number of units.
//
// What: a few slots, so that a program that takes and gives back the same buffer again and again neither searches the arena nor
// moves its guard page. What is in a slot belongs to nobody: its units are claimed in the arena's map, its descriptor says
// MB_UNIT_NONE and remembers length and guard. A request that finds no match empties all slots into the arena first, so the cache
// never makes the heap larger; nor does it outlive two ticks of the purge clock, malloc_trim or a shortage.
// Who: any thread, lock-free: a slot is filled and emptied by one compare-and-swap.
#ifndef MB_CORE_HEAP_LARGE_CACHE_H
#define MB_CORE_HEAP_LARGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>

// Keeps a span, or says no: no slot, or too much is kept already.
bool mb_large_cache_put(size_t first, size_t units);

// A span of exactly so many units.
bool mb_large_cache_take(size_t units, size_t *first);

// Units kept now.
size_t mb_large_cache_units(void);

// Gives everything to `give`, or what has been kept for a whole tick.
void mb_large_cache_flush(void (*give)(size_t first, size_t units));
void mb_large_cache_age(void (*give)(size_t first, size_t units));

#endif
