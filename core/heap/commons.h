// The commons: a heap that all threads share for their first few blocks of each size.
//
// What: a thread that needs one block of a size would else take a page for it, in twenty sizes twenty pages; a thousand such threads
// are a thing (80 KiB each became 12). So the first blocks of a class come from the commons, densely packed; a thread that
// goes on gets slabs of its own. A process with one heap has no commons. Frees of such blocks are frees by another thread.
// Who: any thread. There are several, one thread at a time in each, and most of the time only the first is used. Where all are taken, by
// threads that the scheduler has stopped, a thread waits for a few milliseconds, then takes a slab of its own. A forked child starts anew.
#ifndef MB_CORE_HEAP_COMMONS_H
#define MB_CORE_HEAP_COMMONS_H

#include "core/heap/self.h"

// A block of the class for the owner of `heap`; NULL when he has had his share, or somebody else is at it.
void *mb_commons_take(struct mb_heap *heap, unsigned class_index);

// Lets their slabs go, of those that nobody is at.
void mb_commons_release(void);

// Blocks that they have handed out.
uint64_t mb_commons_served(void);

// In a forked child, alone: starts anew. Their slabs are orphans like those of absent threads.
void mb_commons_recover(void);

#endif
