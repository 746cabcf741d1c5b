// All heaps of the process: making one, the list of all that were ever made, how many have a living thread.
//
// Who: any thread. Invariant: a heap is on the list from its making on, and is never freed.
#ifndef MB_CORE_HEAP_HEAPS_H
#define MB_CORE_HEAP_HEAPS_H

#include "core/heap/self.h"

// Makes a zeroed heap an empty one.
void mb_heap_set_up(struct mb_heap *heap);
// A new empty heap, on the list of all; NULL when no memory is to be had.
struct mb_heap *mb_heap_new(void);

// Heaps that belong to living threads / that were ever made.
uint32_t mb_heaps_in_use(void);
uint32_t mb_heaps_ever(void);

// A thread has come to have a heap (how many there are now), or has none any more.
uint32_t mb_heaps_joined(void);
void mb_heaps_left(void);
// In a forked child, alone: so many of its threads have one.
void mb_heaps_recover(uint32_t in_use);

// Every heap that was ever made, newest first.
struct mb_heap *mb_heaps_first(void);
MB_INLINE struct mb_heap *mb_heaps_next(const struct mb_heap *heap) {
    return atomic_load_explicit(&heap->shared.next_registered, memory_order_relaxed);
}

#endif
