// What: ticks.h by the system's clock, for processors without an implementation of their own.
#include "bench/support/ticks.h"

uint64_t bench::ticks_begin() { return nanoseconds(); }
uint64_t bench::ticks_end() { return nanoseconds(); }
