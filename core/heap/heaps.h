// The list of all heaps that were ever made, and how many of them belong to a living thread.
//
// Who: any thread. Invariant: a heap is on the list from the moment when it is made, and is never freed.
#ifndef MB_CORE_HEAP_HEAPS_H
#define MB_CORE_HEAP_HEAPS_H

#include "core/heap/self.h"

// The head of the list, for debuggers.
struct mb_heaps_root_shared {
    _Atomic(struct mb_heap *) registered; // all heaps ever; pushed by any thread (release), read by any (acquire)
};
extern MB_HIDDEN struct mb_heaps_root_shared mb_heaps_root_shared;

// Initialises a zeroed heap as an empty one.
void mb_heap_set_up(struct mb_heap *heap);
// Makes a new empty heap and puts it on the list; NULL: out of memory.
struct mb_heap *mb_heap_new(void);

// Small blocks that the heap has handed out: those that came into its masks minus those that are still there. For other
// threads the figure is approximate.
uint64_t mb_heap_served(const struct mb_heap *heap);

// How often one of its masks was refilled. Likewise.
uint64_t mb_heap_refills(const struct mb_heap *heap);

// Counts blocks of a slab that is given back, or large blocks, that were freed by another thread than their owner / all
// such blocks so far, including those that heaps have collected.
void mb_heaps_note_remote_frees(uint64_t blocks);
uint64_t mb_heaps_remote_frees(void);

// The rest of a class's mask is not handed out after all: its bits stay in the slab's word. Owner thread.
void mb_heap_drop_mask(struct mb_heap *heap, unsigned class_index);

// Heaps that belong to living threads / that were ever made.
uint32_t mb_heaps_in_use(void);
uint32_t mb_heaps_ever(void);

// A thread has got a heap (returns how many there are now), or has given its heap up.
uint32_t mb_heaps_joined(void);
void mb_heaps_left(void);
// In a forked child with one thread: sets how many of its threads have a heap.
void mb_heaps_recover(uint32_t in_use);

// Every heap that was ever made, newest first.
struct mb_heap *mb_heaps_first(void);
MB_INLINE struct mb_heap *mb_heaps_next(const struct mb_heap *heap) {
    return atomic_load_explicit(&heap->shared.next_registered, memory_order_relaxed);
}

#endif
