// Blocks that look free when they are freed.
//
// What: the tag of a block being freed says that it is free already. By chance that happens once in 2^64; so it is a double
// free, but nothing is said before the block has been found on a list. The owner looks at once. A thread that does not own the
// slab may not walk the owner's lists: it sets the block aside, and the owner (at its next refill), an adopter or malloc_trim
// looks for it. A block that is on no list after all is then freed normally.
#ifndef MB_CORE_HEAP_SUSPECT_H
#define MB_CORE_HEAP_SUSPECT_H

#include "core/heap/self.h"

// Ends the process if p is on one of the slab's lists. Owner thread.
void mb_suspect_verify(struct mb_heap *heap, struct mb_slab *slab, const void *p);

// Any thread. One block per slab: a second one is dropped, which loses a block but hands none out twice.
void mb_suspect_set_aside(struct mb_unit *first, void *p);

// Looks for the block that was set aside, if any. Owner thread.
void mb_suspect_settle(struct mb_heap *heap, struct mb_slab *slab);

// The same for a slab without owner all of whose blocks are free. Any thread about to claim it.
void mb_suspect_settle_unowned(struct mb_unit *first, uint64_t word);

#endif
