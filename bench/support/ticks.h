// What: the cheapest clock of the machine that can time a single call, and its unit.
#ifndef MB_BENCH_SUPPORT_TICKS_H
#define MB_BENCH_SUPPORT_TICKS_H

#include <cstdint>
#include <ctime>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace bench {

inline uint64_t nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

// The fences keep the timed call between the two readings.
#if defined(__x86_64__)
inline uint64_t ticks_begin() {
    _mm_lfence();
    const uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
}

inline uint64_t ticks_end() {
    unsigned cpu = 0;
    const uint64_t now = __rdtscp(&cpu);
    _mm_lfence();
    return now;
}
#else
inline uint64_t ticks_begin() { return nanoseconds(); }
inline uint64_t ticks_end() { return nanoseconds(); }
#endif

} // namespace bench

#endif
