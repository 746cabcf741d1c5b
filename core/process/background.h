// Giving memory back in time: by the calling thread as it passes its slow paths, and by a helper thread that exists only
// while two or more threads have heaps (option background=0: never).
#ifndef MB_CORE_PROCESS_BACKGROUND_H
#define MB_CORE_PROCESS_BACKGROUND_H

#include <stddef.h>
#include <stdint.h>

// The number of living threads with a heap has changed: starts the helper at two, ends it (and waits for its end) below
// two. Any thread, from its first slow call or its exit hook.
void mb_background_heaps_changed(void);

// A span of so many units has come back: without a helper, gives back what exceeds the margin (core/region/margin.h), and whatever has
// been free for the purge delay. Any thread.
void mb_background_span_freed(size_t units);

// Free memory that holds pages: units, and pieces of divided ones. In units.
size_t mb_background_warm_units(void);

// How much free memory may wait for its reuse, in units; SIZE_MAX while there is a helper. Any thread.
size_t mb_background_margin(void);

// Once in a while on slow paths: the purge clock without a helper. Any thread.
void mb_background_tick(void);

// Takes slabs that hold no live block for the arena, all of them, whoever owns them and wherever he sleeps. Any thread.
void mb_background_claim_all(void);

// In a forked child, alone: there is no helper.
void mb_background_recover(void);

// From now on each look at the purge clock calls this, too. Once, before there are threads.
void mb_background_set_visitor(void (*visitor)(void));

// All that the helper would give back in time, now.
void mb_background_settle(void);

#endif
