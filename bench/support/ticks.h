// What: the cheapest clock of the machine that can time a single call. CMake picks the implementation for the
// processor; what a reading costs is measured and subtracted by who uses it.
#ifndef MB_BENCH_SUPPORT_TICKS_H
#define MB_BENCH_SUPPORT_TICKS_H

#include <cstdint>
#include <ctime>

namespace bench {

inline uint64_t nanoseconds() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

// Nothing of the timed call runs before the begin or after the end. The unit is the processor's.
uint64_t ticks_begin();
uint64_t ticks_end();

} // namespace bench

#endif
