// The list of all heaps that were ever made, and how many of them belong to a living thread.
//
// Who: any thread. Invariant: a heap is on the list from the moment when it is made, and is never freed.
#ifndef MB_CORE_HEAP_HEAPS_H
#define MB_CORE_HEAP_HEAPS_H

#include "core/heap/self.h"

// Where the list of all begins: for debuggers.
struct mb_heaps_root_shared {
    _Atomic(struct mb_heap *) registered; // all heaps ever; pushed by any thread (release), read by any (acquire)
};
extern MB_HIDDEN struct mb_heaps_root_shared mb_heaps_root_shared;

// Makes a zeroed heap an empty one.
void mb_heap_set_up(struct mb_heap *heap);
// A new empty heap, on the list of all; NULL: out of memory.
struct mb_heap *mb_heap_new(void);

// Small blocks that the heap has handed out: what came into its masks, without what is still there. A near figure for
// other threads.
uint64_t mb_heap_served(const struct mb_heap *heap);

// How often one of its masks was filled again. Likewise.
uint64_t mb_heap_refills(const struct mb_heap *heap);

// So many blocks of a slab that goes back, or large ones, were freed by a thread whose they were not / all of them,
// with those that heaps have taken back.
void mb_heaps_note_remote_frees(uint64_t blocks);
uint64_t mb_heaps_remote_frees(void);

// The rest of a class's mask is not handed out after all: its bits stay in the slab's word. Owner thread.
void mb_heap_drop_mask(struct mb_heap *heap, unsigned class_index);

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
