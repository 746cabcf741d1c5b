// What a stretch of an arena's units has of free ones, in one word: how many begin it, how many end it, and the longest
// run in it.
//
//   full | end | start | longest         three numbers of 21 bits, all 0 when every unit of the stretch is free (`full`)
//
// What: the arithmetic of a tree over the units (core/region/map_runs.h). Stretches have 64 units (a word of bits, one
// for each free unit) times a power of eight. From 2^21 units on (128 GiB) a number may be less than there is: no
// longer run is found in a map of more than 2^24 units, and a start that is found need not be the lowest there. Pure
// functions, any thread.
// Idea: the summaries of Go's page allocator (runtime/mpagealloc.go), which has them under a lock.
#ifndef MB_CORE_REGION_RUN_H
#define MB_CORE_REGION_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/bits.h"

enum { MB_RUN_PARTS = 8, MB_RUN_WORD_UNITS = 64, MB_RUN_START_SHIFT = 21, MB_RUN_END_SHIFT = 42 };
#define MB_RUN_FULL (UINT64_C(1) << 63)
#define MB_RUN_NUMBER ((UINT64_C(1) << MB_RUN_START_SHIFT) - 1)

MB_INLINE bool mb_run_is_full(uint64_t run) { return (run & MB_RUN_FULL) != 0; }

// `units`: of the stretch.
MB_INLINE size_t mb_run_longest(uint64_t run, size_t units) { return mb_run_is_full(run) ? units : run & MB_RUN_NUMBER; }
MB_INLINE size_t mb_run_start(uint64_t run, size_t units) {
    return mb_run_is_full(run) ? units : run >> MB_RUN_START_SHIFT & MB_RUN_NUMBER;
}
MB_INLINE size_t mb_run_end(uint64_t run, size_t units) { return mb_run_is_full(run) ? units : run >> MB_RUN_END_SHIFT & MB_RUN_NUMBER; }

// Bit i: bits i to i + units - 1 are set.
MB_INLINE uint64_t mb_run_starts(uint64_t bits, size_t units) {
    for (size_t have = 1; bits != 0 && have < units;) {
        size_t step = mb_min(have, units - have);
        bits &= bits >> step;
        have += step;
    }
    return bits;
}

// Of a word's bits / of MB_RUN_PARTS stretches side by side, of so many units each.
uint64_t mb_run_of_bits(uint64_t bits);
uint64_t mb_run_join(const uint64_t parts[MB_RUN_PARTS], size_t part_units);

#endif
