// calloc of a large block: how it becomes zero.
//
// What: what comes fresh from the system is. A block with unknown contents is cleared, or gives its pages back: a page
// that nobody touches afterwards then costs nothing, one that is touched costs ten times as much as clearing it
// (measured on a virtual machine: 0.7 against 0.06 us). So it is cleared, but now and then a thread looks whether its
// blocks are touched at all: it gives one back twice, and sees by the time of the second time how many pages there
// were. While that is next to none, all are given back, and every one is a look.
// Who: the block's thread.
#ifndef MB_CORE_LARGE_LARGE_ZERO_H
#define MB_CORE_LARGE_LARGE_ZERO_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/self.h"

// `bytes` from p on, the start of a live large block, become zero; `fresh`: they are.
void mb_large_make_zero(struct mb_heap *heap, void *p, size_t bytes, bool fresh);

#endif
