// Gives unused memory back to the system about every half purge_delay_ms: threads do it when they are in a slow path,
// and a helper thread does it while two or more threads have heaps (option background=0: never by a helper).
#ifndef MB_CORE_PROCESS_BACKGROUND_H
#define MB_CORE_PROCESS_BACKGROUND_H

#include <stddef.h>
#include <stdint.h>

// The number of living threads with a heap has changed: starts the helper at two, ends it (and waits for its end) below
// two. Any thread, from its first slow call or its exit hook.
void mb_background_heaps_changed(void);

// To be called when a span of `units` has been freed: without a helper, gives back to the system what exceeds the
// margin (core/region/margin.h), and what has been free for the purge delay. Any thread.
void mb_background_span_freed(size_t units);

// How much free memory has pages, in units: free units, and free pieces of units that blocks share.
size_t mb_background_warm_units(void);

// How much free memory may keep its pages for reuse, in units; SIZE_MAX while there is a helper. Any thread.
size_t mb_background_margin(void);

// To be called now and then on slow paths: without a helper, does the helper's work when its time has come. Any thread.
void mb_background_tick(void);

// Returns all slabs without live blocks to the arena, also those that belong to sleeping threads. Any thread.
void mb_background_claim_all(void);

// In a forked child, alone: there is no helper.
void mb_background_recover(void);

// Sets a function that is called at each tick, too. To be called once, before there are threads.
void mb_background_set_visitor(void (*visitor)(void));

// Returns at once what the helper would return in the course of time.
void mb_background_settle(void);

#endif
