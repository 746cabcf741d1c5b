// Large blocks that were freed a moment ago: who keeps them for whom, and until when.
//
// What: a block that the thread frees which made it stays in that thread's heap, marked MB_LARGE_KEPT; what another thread frees goes to
// a cache that is everybody's, its descriptor MB_UNIT_NONE. Who finds no match and needs fresh
// memory empties the caches first, so nothing kept makes the heap larger (but other threads' caches, once there have been more than 64 heaps). Nor does it outlive two ticks of the purge clock, malloc_trim, a shortage or its thread.
// Double frees: any second free sees KEPT or NONE. The owner's way has one atomic operation, the taking out of the cache; so of two
// threads that free the same block at the same moment the other one may miss KEPT, and claims the block. Then that claim, or what has
// become of the units since, stands in the descriptor, and whoever takes them out of the heap's cache finds it and ends the process.
// Who: any thread; mb_large_take_own and mb_large_free_own act for the calling thread's heap.
#ifndef MB_CORE_HEAP_LARGE_KEEP_H
#define MB_CORE_HEAP_LARGE_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/self.h"

// A kept span of exactly so many units, as a live block again (`heap` is the calling thread's) / as MB_UNIT_NONE; NULL: none.
struct mb_unit *mb_large_take_own(struct mb_heap *heap, size_t units);
struct mb_unit *mb_large_take_everybodys(size_t units);

// p is the start of a large block (else the process ends).
void mb_large_free(void *p);
// The quick way for a block that the calling thread made: false when it is not that, or must go the other way. p is in the arena.
bool mb_large_free_own(void *p);

// What is kept goes back to the arena: all of it (memory is short, or asked for), what has been kept for a tick, or one heap's.
void mb_large_flush(void);
void mb_large_age(void);
void mb_large_flush_heap(struct mb_heap *heap);
// Before the arena grows by so many units: what this heap and everybody keeps, and other heaps' if that is not enough.
void mb_large_flush_to_grow(struct mb_heap *heap, size_t units);

// Units kept now.
size_t mb_large_kept_units(void);

// In a forked child: what absent threads kept, and what they had in their hands.
void mb_large_recover(void);

#endif
