// calloc of a large block: how it becomes zero.
//
// What: memory fresh from the system is zero. A block with unknown contents is either cleared or purged: after a purge,
// a page that is never touched costs nothing, but one that is touched costs ten times as much as clearing it (measured
// on a virtual machine: 0.7 against 0.06 us). So blocks are cleared, but now and then a thread checks whether its
// blocks are touched at all: it purges one block twice, and the time of the second purge shows how many pages there
// were. While there are almost none, all blocks are purged, and each purge is a check.
// Who: the block's thread.
#ifndef MB_CORE_LARGE_LARGE_ZERO_H
#define MB_CORE_LARGE_LARGE_ZERO_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/self.h"

// `bytes` from p on, the start of a live large block, become zero; `fresh`: they are.
void mb_large_make_zero(struct mb_heap *heap, void *p, size_t bytes, bool fresh);

#endif
