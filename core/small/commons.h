// Commons: heaps that all threads share for their first few blocks of each size class.
//
// What: a thread that needs a single block of a class would otherwise own a slab for it and touch a page of its own; in
// twenty classes that is 80 KiB a thread, and from the commons it is about 8. A thread that goes on allocating gets
// slabs of its own. While the process has one heap, the commons are not used. There is one commons up to 15 heaps, and
// then one for each processor. To every thread the blocks look like those of another thread, so frees are remote frees.
// False sharing: block sizes are rounded up to pairs of cache lines (128 bytes), so two threads never write to the same
// pair (two threads that each counted in 16 bytes of their own took 3.3 times the CPU time).
// Who: any thread, one at a time in each commons; others wait, at most half a second, and then take a slab of their
// own. A forked child starts with empty ones. Rejected: a fresh commons where the first is busy, for programs with few
// threads; each commons has slabs of its own, and such programs held up to a quarter more memory.
#ifndef MB_CORE_SMALL_COMMONS_H
#define MB_CORE_SMALL_COMMONS_H

#include <stdbool.h>

#include "core/heap/self.h"

// From so many heaps on there is one commons for each processor (at most 16).
enum { MB_COMMONS_APART = 16 };

// Locks a commons and returns its heap, for the owner thread of `heap`; unlock it by mb_commons_leave. NULL: it was
// busy for too long.
struct mb_heap *mb_commons_enter(const struct mb_heap *heap);
void mb_commons_leave(const struct mb_heap *commons);

// The same for the commons of the blocks that the heap profile samples (core/front/sample.h). Every free of such a
// block is a remote free, so the fast path of free need not know of samples; no thread may adopt such a slab (struct
// mb_unit_shared, sampled).
struct mb_heap *mb_commons_enter_samples(void);

// Whether a heap is a commons.
bool mb_commons_is(const struct mb_heap *heap);
// Whether a slab is one of a commons, or was the last time that it had an owner. Any thread.
bool mb_commons_has(const struct mb_unit *unit);

// The class that serves a request of `class_index` in a commons: its block size is a multiple of 128 bytes.
unsigned mb_commons_class_of(unsigned class_index);

// Abandons the slabs of every commons that is not busy, so that empty ones go back to the arena.
void mb_commons_release(void);

// The heap of commons `i`, for statistics that read without the lock. i < MB_COMMONS; MB_COMMONS_SAMPLES is that of the
// sampled blocks.
enum { MB_COMMONS_SAMPLES = 16, MB_COMMONS };
const struct mb_heap *mb_commons_at(unsigned i);

// Blocks that all commons have handed out so far.
uint64_t mb_commons_served(void);
// How often their masks were filled again.
uint64_t mb_commons_refills(void);

// In a forked child, before a second thread: empties the heaps. Their slabs are left without an owner, as are those of
// the threads that do not exist in the child.
void mb_commons_recover(void);

#endif
