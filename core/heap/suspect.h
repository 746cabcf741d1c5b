// Blocks that look free when they are freed.
//
// What: the tag of a block being freed says that it is free already. By chance that happens once in 2^64; so it is a double
// free, but nothing is said before that is seen: the block is on a list, or it has been handed out again since. The owner
// looks at once. A thread that does not own the slab may not change the owner's lists: it sets the block aside, and the owner
// (before it uses any list of the slab again), an adopter or malloc_trim looks for it. A block that still has its tag and is on
// no list after all (a user copied the contents of a freed block into it) is then freed normally.
#ifndef MB_CORE_HEAP_SUSPECT_H
#define MB_CORE_HEAP_SUSPECT_H

#include "core/heap/self.h"

// Ends the process if p is on one of the slab's lists. Owner thread.
void mb_suspect_verify(struct mb_heap *heap, struct mb_slab *slab, const void *p);

// Any thread. One block per slab: a second one is dropped, which loses a block but hands none out twice.
void mb_suspect_set_aside(struct mb_unit *first, void *p);

// Looks for the block that was set aside, if any. Owner thread.
void mb_suspect_settle(struct mb_heap *heap, struct mb_slab *slab);

// Looks for the block that was set aside in somebody else's slab; only ever finds it guilty. Any thread.
void mb_suspect_inspect(const struct mb_unit *first);

#endif
