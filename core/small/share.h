// Which classes a thread has slabs of its own for, and which it takes from the commons (core/small/commons.h).
//
// What: a slab of its own makes a thread's malloc and free quick, and is out of everybody's reach while that thread
// sleeps. So the more threads there are, the less each may have; what is beyond that comes from the commons, which do
// not grow with the number of threads.
//
//   the first 8 blocks of a class           from the commons (32 blocks, where there are 64 threads and more)
//   then, blocks of less than MB_LONG_FROM  own slabs, a page or two each
//   then, longer blocks                     own slabs, while those of the thread count at most its part of 8 MiB a processor; else the commons
//
// From 16 threads on a class whose slabs are empty and were not used for 256 slow calls loses them.
// Who: the owner thread of the heap.
#ifndef MB_CORE_SMALL_SHARE_H
#define MB_CORE_SMALL_SHARE_H

#include <stdbool.h>

#include "core/heap/self.h"

enum { MB_LONG_FROM = 512 };

// Whether the next block of a class that the heap has no slab of comes from the commons. Counts it, or the slab that
// the heap gets instead.
bool mb_share_is_common(struct mb_heap *heap, unsigned class_index);

// Every few hundred slow calls, where there are many threads: lets the slabs of unused classes go.
void mb_share_review(struct mb_heap *heap);

// A unit of used pages has become a slab of the heap's: where there are many threads and its blocks are short, the
// pages go back first.
void mb_share_unit_taken(struct mb_slab *slab, uint32_t block_bytes);

#endif
