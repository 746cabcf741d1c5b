// What giving free spans back to the system counts, for the arena's own use. The functions are in arena.h. Any thread.
#ifndef MB_CORE_REGION_PURGE_H
#define MB_CORE_REGION_PURGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/region/limit.h"
#include "platform/compiler.h"

struct mb_purge_shared {
    _Atomic size_t warm_free_units; // any thread, relaxed: steers the purge
    _Atomic uint64_t purged_bytes;  // any thread, relaxed: a statistic
};
extern MB_HIDDEN struct mb_purge_shared mb_purge_shared;

// Gives committed pages back and makes sure that they read as zeros: a system call that succeeds without an effect (in
// emulators, under filters) counts as a failure. On failure pages that read as zeros still do. Called by the only
// thread that uses the pages.
bool mb_purge_to_zero(void *p, size_t bytes);

// Counts bytes that were given back, for the statistic. Any thread.
MB_INLINE void mb_purge_note(size_t bytes) {
    atomic_fetch_add_explicit(&mb_purge_shared.purged_bytes, bytes, memory_order_relaxed);
}

#endif
