// The heaps of threads: what a thread's first allocation, its end, and allocations after its end do.
//
// empty heap --first slow call--> real heap --exit hook--> departed heap (each later call takes a heap and gives it
// back)
#ifndef MB_CORE_PROCESS_THREAD_H
#define MB_CORE_PROCESS_THREAD_H

#include "core/heap/self.h"

// The calling thread's heap, made or taken over if it has none; NULL: out of memory. Pair with mb_thread_leave.
struct mb_heap *mb_thread_enter(void);

// Ends a slow path: a departed thread gives the heap back at once.
void mb_thread_leave(struct mb_heap *heap);

// The calling thread gives its heap up, if it has one, and has none of its own any more.
void mb_thread_depart(void);

// The calling thread's heap lets its slabs go and owns the next ones by the token that core/heap/perturb.h asks for.
void mb_thread_change_token(void);

// In a forked child, alone: every heap but the caller's becomes a parked, empty one.
void mb_thread_recover(void);

#endif
