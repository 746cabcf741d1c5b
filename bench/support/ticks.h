// What: the fastest clock of the machine, precise enough for a single call. CMake chooses the implementation for the
// processor. The user of the clock measures and subtracts what a reading takes.
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

// No part of the timed call runs before ticks_begin or after ticks_end. The unit depends on the processor.
uint64_t ticks_begin();
uint64_t ticks_end();

} // namespace bench

#endif
