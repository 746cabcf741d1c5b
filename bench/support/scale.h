// What: how much work a benchmark does. MB_BENCH_SCALE=0.1 does a tenth; the driver's --quick uses it.
#ifndef MB_BENCH_SUPPORT_SCALE_H
#define MB_BENCH_SUPPORT_SCALE_H

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace bench {

inline double scale() {
    const char *text = std::getenv("MB_BENCH_SCALE");
    const double value = text ? std::atof(text) : 1.0;
    return value > 0 ? value : 1.0;
}

// `full` times the scale, at least `least`.
inline int64_t scaled(int64_t full, int64_t least = 1) {
    return std::max(least, static_cast<int64_t>(static_cast<double>(full) * scale()));
}

} // namespace bench

#endif
