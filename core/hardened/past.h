// Where a block was made and where it was freed, by whom and when (profile=debug).
//
// Who: the thread that may use the block's metadata: the holder of the lock of its slab's class, or a large block's
// thread.
#ifndef MB_CORE_HARDENED_PAST_H
#define MB_CORE_HARDENED_PAST_H

#include <stdint.h>

#include "core/hardened/trace.h"

struct mb_hard_past {
    struct mb_trace *made, *freed; // freed: NULL while the block lives
    uint64_t freed_ns;
    int32_t made_by, freed_by; // threads
};

// The block has just been made / is being freed, by the calling thread, from `here` (mb_trace_here, called before any
// lock was taken: the C library may lock its list of files for it, and who holds that may be in malloc).
void mb_hard_past_made(struct mb_hard_past *past, struct mb_trace *here);
void mb_hard_past_freed(struct mb_hard_past *past, struct mb_trace *here);

// Lines on standard error: where the calling thread is, and what is known of a block's past. `past` may be NULL.
void mb_hard_past_tell(const struct mb_hard_past *past);

// Milliseconds since the block was freed.
uint64_t mb_hard_past_freed_ms(const struct mb_hard_past *past);

#endif
