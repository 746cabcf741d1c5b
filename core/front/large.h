// Large blocks: up to 512 KiB runs of pages, the next block behind each; longer ones runs of units, which cost address
// space, not memory: the tail is never touched. From 4 MiB on a block ends at an inaccessible page, where the kernel
// can do that without a mapping of its own.
//
//   | ---- large_bytes (pages) ---- | guard page | address space only ... |     large_pieces * 4 KiB
//
// Any thread, on its own blocks.
#ifndef MB_CORE_FRONT_LARGE_H
#define MB_CORE_FRONT_LARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/self.h"

// At a multiple of `align` bytes, a power of two. NULL: no memory. bytes <= PTRDIFF_MAX.
void *mb_large_alloc_aligned(struct mb_heap *heap, size_t align, size_t bytes);
void *mb_large_alloc_zeroed(struct mb_heap *heap, size_t bytes);
// Only what the heap of the calling thread keeps; NULL: nothing of that length. Any number of bytes, any heap.
void *mb_large_alloc_kept(struct mb_heap *heap, size_t bytes);
// The rest, after that: mb_large_alloc_aligned without a look at what the heap keeps.
void *mb_large_alloc_missed(struct mb_heap *heap, size_t bytes);

// Makes the block `bytes` long where it is; false when it cannot grow there.
bool mb_large_resize(void *p, size_t bytes);

// A longer block with the same contents at another address, by moving pages where that pays; the old one is freed.
// NULL: no memory, the old one is intact.
void *mb_large_move(struct mb_heap *heap, void *p, size_t bytes);

// p is the start of a large block (else the process ends).
void mb_large_free(void *p);

#endif
