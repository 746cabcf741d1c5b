// The slow paths of malloc and free as functions of a heap. See fast.h for the names that the fast path ends in.
#ifndef MB_CORE_FRONT_SLOW_H
#define MB_CORE_FRONT_SLOW_H

#include <stddef.h>

#include "core/heap/self.h"

// One block of the class; NULL: out of memory. Owner thread of `heap`.
void *mb_heap_take_block(struct mb_heap *heap, unsigned class_index);

// Sets errno to ENOMEM and returns NULL.
void *mb_no_memory(void);

#endif
