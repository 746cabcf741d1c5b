// How much memory may be held: units that may have pages, claimed or free.
//
// What: a count of them, kept where units become warm or cold; a hard limit, which refuses fresh ones; a soft one,
// which has no effect here but can be queried. Large blocks that grow pages by themselves count when they are handed
// out.
// Who: any thread, relaxed: threads that grow at the same moment may exceed the limit by what each of them takes.
#ifndef MB_CORE_REGION_LIMIT_H
#define MB_CORE_REGION_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/compiler.h"

struct mb_limit_shared {
    _Atomic size_t held_units;                 // any thread
    _Atomic uint64_t fresh_units;              // any thread: all that were ever taken without pages
    _Atomic size_t hard_units MB_PAIR_ALIGNED; // 0: none; who sets limits. Read by all, so not on a line with the counters
    _Atomic size_t soft_units;                 // likewise
};
extern MB_HIDDEN struct mb_limit_shared mb_limit_shared;

// So many units become warm; false, and nothing has changed: that would exceed the hard limit.
MB_INLINE bool mb_limit_take(size_t units) {
    size_t held = atomic_fetch_add_explicit(&mb_limit_shared.held_units, units, memory_order_relaxed) + units;
    size_t hard = atomic_load_explicit(&mb_limit_shared.hard_units, memory_order_relaxed);
    if (MB_LIKELY(hard == 0 || held <= hard)) {
        atomic_fetch_add_explicit(&mb_limit_shared.fresh_units, units, memory_order_relaxed);
        return true;
    }
    atomic_fetch_sub_explicit(&mb_limit_shared.held_units, units, memory_order_relaxed);
    return false;
}

// Whether so many bytes would fit, which are not counted: for blocks outside the arena's window.
MB_INLINE bool mb_limit_allows(size_t bytes) {
    size_t hard = atomic_load_explicit(&mb_limit_shared.hard_units, memory_order_relaxed);
    size_t units = (bytes >> MB_UNIT_SHIFT) + 1;
    return MB_LIKELY(hard == 0) || atomic_load_explicit(&mb_limit_shared.held_units, memory_order_relaxed) + units <= hard;
}

// In a forked child, alone: counts anew.
void mb_limit_recover(void);

MB_INLINE void mb_limit_give(size_t units) { atomic_fetch_sub_explicit(&mb_limit_shared.held_units, units, memory_order_relaxed); }

MB_INLINE bool mb_limit_is_soft_reached(void) {
    size_t soft = atomic_load_explicit(&mb_limit_shared.soft_units, memory_order_relaxed);
    return MB_UNLIKELY(soft != 0) && atomic_load_explicit(&mb_limit_shared.held_units, memory_order_relaxed) > soft;
}

#endif
