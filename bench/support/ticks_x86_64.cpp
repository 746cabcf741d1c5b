// What: ticks.h by the time stamp counter; the fences keep the timed call between the two readings.
#include "bench/support/ticks.h"

#include <x86intrin.h>

uint64_t bench::ticks_begin() {
    _mm_lfence();
    const uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
}

uint64_t bench::ticks_end() {
    unsigned cpu = 0;
    const uint64_t now = __rdtscp(&cpu);
    _mm_lfence();
    return now;
}
