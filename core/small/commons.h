// The commons: a heap that all threads share for their first few blocks of each size.
//
// What: a thread that needs one block of a size would else take a page for it, in twenty sizes twenty pages; a thousand such threads
// are a thing (80 KiB each became 12). So the first blocks of a class come from the commons, densely packed; a thread that
// goes on gets slabs of its own. A process with one heap has no commons. Frees of such blocks are frees by another thread.
// They are as long as whole pairs of cache lines, so that what one thread writes is on no line of another's (two threads that each counted in 16
// bytes of their own took 3.3 times the CPU time).
// Who: any thread, one at a time. Who finds another in it waits, a few milliseconds at most, then takes a slab of his own. (Several commons,
// the next one where the first is taken, were tried: each has slabs of its own, and programs with few threads held up to a quarter more.) A forked
// child starts anew.
#ifndef MB_CORE_SMALL_COMMONS_H
#define MB_CORE_SMALL_COMMONS_H

#include <stdbool.h>

#include "core/heap/self.h"

// From so many heaps on there is one commons for each processor.
enum { MB_COMMONS_APART = 16 };

// A commons for the owner of `heap` alone, until he leaves it; NULL when somebody else is at it.
struct mb_heap *mb_commons_enter(const struct mb_heap *heap);
void mb_commons_leave(const struct mb_heap *commons);

// The one that sampled blocks come from (core/front/sample.h), likewise: their slabs are nobody's, so each free of one is a free by another thread, and
// no thread may take such a slab over (struct mb_unit_shared, sampled).
struct mb_heap *mb_commons_enter_samples(void);

// Whether a heap is a commons.
bool mb_commons_is(const struct mb_heap *heap);

// What to take there for a block of the class.
unsigned mb_commons_class_of(unsigned class_index);

// Lets its slabs go, if nobody is at it.
void mb_commons_release(void);

// The heap itself, for a report that only looks.
enum { MB_COMMONS_SAMPLES = 16, MB_COMMONS };
const struct mb_heap *mb_commons_at(unsigned i);

// Blocks that it has handed out.
uint64_t mb_commons_served(void);

// In a forked child, alone: starts anew. Its slabs are orphans like those of absent threads.
void mb_commons_recover(void);

#endif
