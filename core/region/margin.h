// How much free warm memory a process keeps for its next requests when no helper thread gives it back in time.
//
// What: little at first: an eighth of the heap, from 2 to 16 MiB, or for a second as much as the longest span that came free in it (to 16 MiB).
// What exceeds it goes back to the system and is owed for a second: if fresh pages are taken within that time, the margin was too small by as
// much, and grows. So a program that frees and takes megabytes in turn faults for them once, and one that is done with its peak keeps little,
// without looking at a clock. Growth that nobody missed for long ends with the next excess.
// Who: any thread, relaxed; a lost count makes the margin a little smaller.
// Idea: dynamic trim threshold of Doug Lea's malloc as in glibc (there by the length of mapped blocks that are freed).
#ifndef MB_CORE_REGION_MARGIN_H
#define MB_CORE_REGION_MARGIN_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

struct mb_margin_shared {
    _Atomic size_t more_units; // growth
    _Atomic uint64_t grown_at; //   and when it was missed last, ns
    _Atomic size_t owed_units; // given back for the margin's sake
    _Atomic uint64_t owed_at;  //   and when, the last time
    _Atomic size_t span_units; // the longest span that came free lately
    _Atomic uint64_t span_at;  //   and when
};
extern MB_HIDDEN struct mb_margin_shared mb_margin_shared;

// In units of 64 KiB.
size_t mb_margin_units(void);
// A span of so many units comes free: ask mb_margin_units after that.
void mb_margin_freed(size_t units);
// So many units were given back because they exceeded the margin.
void mb_margin_owe(size_t units);
void mb_margin_missed(size_t units);

// So many units without pages were taken.
MB_INLINE void mb_margin_taken_cold(size_t units) {
    if (MB_UNLIKELY(atomic_load_explicit(&mb_margin_shared.owed_units, memory_order_relaxed) != 0)) mb_margin_missed(units);
}

#endif
