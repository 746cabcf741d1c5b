// How much free resident memory a process keeps for its next requests if no helper thread purges it.
//
// What: little at first: an eighth of the heap, from 2 to 16 MiB, or for a second as much as the longest span that was
// freed in it (up to 16 MiB). What exceeds the margin is purged, and counted as owed: if fresh pages are needed within
// a second of the last such purge, the margin was too small by that amount, and grows. So a program that frees and
// allocates megabytes alternately faults for them once, and one that has had a single peak keeps little, without
// reading a clock. The margin grows by what was missed up to 40 MiB, and then by an eighth of it, up to 64 MiB or a
// quarter of the heap: two large cycles keep little, twenty keep what they need. Growth that was not needed for 20
// seconds ends with the next excess.
// Who: any thread, relaxed: a lost count makes the margin a little too small or too large.
// Idea: dynamic trim threshold of Doug Lea's malloc as in glibc (there by the length of mapped blocks that are freed).
#ifndef MB_CORE_REGION_MARGIN_H
#define MB_CORE_REGION_MARGIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/compiler.h"

struct mb_margin_shared {
    _Atomic size_t missed_units; // altogether: what growth comes from
    _Atomic uint64_t grown_at;   //   and when it was missed last, ns
    _Atomic size_t owed_units;   // given back for the margin's sake
    _Atomic uint64_t owed_at;    //   and when, the last time
    _Atomic size_t span_units;   // the longest span that came free lately
    _Atomic uint64_t span_at;    //   and when
    _Atomic uint64_t refused_at; // when the system last took nothing
    _Atomic size_t bound_units;  // M_TRIM_THRESHOLD, and one more; 0: the program has said nothing
};
extern MB_HIDDEN struct mb_margin_shared mb_margin_shared;

// In units of 64 KiB: the margin for free spans and kept large blocks together / the part of it for free spans.
size_t mb_margin_units(void);
// How far free spans and pieces may exceed their part of the margin: a share of the units that were missed repeatedly.
enum { MB_MARGIN_MISSED_SHARE = 8 };
MB_INLINE size_t mb_margin_more_units(void) {
    return atomic_load_explicit(&mb_margin_shared.missed_units, memory_order_relaxed) / MB_MARGIN_MISSED_SHARE;
}
size_t mb_margin_of_warm(size_t margin);

// M_TRIM_THRESHOLD of mallopt: an upper limit in bytes; or, if it is more than the margin may reach by itself
// (MB_MARGIN_ASKED_UNITS), the amount to keep.
void mb_margin_bound(size_t bytes);
enum { MB_MARGIN_ASKED_UNITS = MB_MARGIN_WARM_UNITS - 1 + MB_MARGIN_KEPT_UNITS };
// The amount that the program has requested in this way, 0 if none. That much free memory stays, however long it is
// unused.
size_t mb_margin_asked_units(void);

// Called when a span of so many units is freed; mb_margin_units must be read after that.
void mb_margin_freed(size_t units);
// So many units were purged because they exceeded the margin; 0: the system refused.
void mb_margin_owe(size_t units);
// Whether the system has refused within the last second, so that another attempt would be useless.
bool mb_margin_is_refused(void);

// mb_margin_taken_cold is called when units without pages were taken; it calls mb_margin_missed if something is owed.
void mb_margin_missed(size_t units);
MB_INLINE void mb_margin_taken_cold(size_t units) {
    if (MB_UNLIKELY(atomic_load_explicit(&mb_margin_shared.owed_units, memory_order_relaxed) != 0)) mb_margin_missed(units);
}

#endif
