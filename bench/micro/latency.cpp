// What: the duration of single calls of malloc and free in a live set of constant size: 50th, 99th, 99.9th percentile
// and maximum.
//   bench_latency small|mixed|large|remote
// The durations go into histograms of fixed size (64 buckets per doubling, 1.6 %), so that recording neither allocates
// nor faults. The time that reading the clock takes (the smallest difference of two readings) is subtracted.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/channel.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"
#include "bench/support/ticks.h"

namespace {

enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKETS = 40 * STEPS };

class Histogram {
public:
    void add(uint64_t ticks) {
        ++counts_[std::min<unsigned>(index(ticks), BUCKETS - 1)];
        ++total_;
        longest_ = std::max(longest_, ticks);
    }

    // The quantile: the smallest duration that this share of all calls does not exceed.
    double at(double quantile) const {
        const auto rank = static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(total_)));
        uint64_t seen = 0;
        for (unsigned i = 0; i < BUCKETS; ++i) {
            seen += counts_[i];
            if (seen >= rank) return value(i);
        }
        return longest();
    }

    double longest() const { return static_cast<double>(longest_); }

private:
    static unsigned index(uint64_t ticks) {
        if (ticks < STEPS) return static_cast<unsigned>(ticks);
        const unsigned shift = 63u - static_cast<unsigned>(__builtin_clzll(ticks)) - STEP_BITS;
        return (shift + 1) * STEPS + static_cast<unsigned>(ticks >> shift) - STEPS;
    }

    static double value(unsigned i) {
        if (i < STEPS) return i;
        const unsigned shift = i / STEPS - 1;
        return static_cast<double>(static_cast<uint64_t>(i % STEPS + STEPS) << shift);
    }

    uint64_t counts_[BUCKETS] = {};
    uint64_t total_ = 0, longest_ = 0;
};

Histogram mallocs, frees;
uint64_t clock_cost;

void calibrate() {
    clock_cost = UINT64_MAX;
    for (int i = 0; i < 10000; ++i) {
        const uint64_t begin = bench::ticks_begin();
        clock_cost = std::min(clock_cost, bench::ticks_end() - begin);
    }
}

void record(Histogram &histogram, uint64_t begin, uint64_t end) {
    const uint64_t took = end - begin;
    histogram.add(took > clock_cost ? took - clock_cost : 0);
}

void *timed_malloc(size_t bytes) {
    const uint64_t begin = bench::ticks_begin();
    void *p = std::malloc(bytes);
    record(mallocs, begin, bench::ticks_end());
    return bench::checked(p, bytes);
}

void timed_free(void *p) {
    const uint64_t begin = bench::ticks_begin();
    std::free(p);
    record(frees, begin, bench::ticks_end());
}

size_t size_64(bench::Random &) { return 64; }
size_t size_large(bench::Random &random) { return 65536 + random.below(2u << 20); }

using Size = size_t (*)(bench::Random &);

void replace(size_t live, int64_t steps, Size size) {
    bench::Random random(19);
    std::vector<void *> blocks(live);
    for (int64_t i = 0; i < steps; ++i) {
        void *&p = blocks[random.below(static_cast<uint32_t>(live))];
        if (p != nullptr) timed_free(p);
        p = timed_malloc(size(random));
    }
}

// Another thread frees what this one allocates.
void remote(int64_t steps) {
    bench::Ring ring(4096);
    std::thread other([&ring] {
        while (void *p = ring.pop()) timed_free(p);
    });
    bench::Random random(23);
    for (int64_t i = 0; i < steps; ++i) ring.push(timed_malloc(bench::small_size(random)));
    ring.push(nullptr);
    other.join();
}

void report(const char *what, const Histogram &histogram, double ns_per_tick) {
    const struct { const char *name; double ticks; } rows[] = {
        {"p50", histogram.at(0.5)}, {"p99", histogram.at(0.99)}, {"p999", histogram.at(0.999)}, {"max", histogram.longest()}};
    for (const auto &row : rows) bench::report((std::string(what) + "_" + row.name + "_ns").c_str(), row.ticks * ns_per_tick);
}

bool run(const char *name) {
    const int64_t steps = bench::scaled(2000000);
    if (std::strcmp(name, "small") == 0) replace(10000, steps, size_64);
    else if (std::strcmp(name, "mixed") == 0) replace(50000, steps, bench::mixed_size);
    else if (std::strcmp(name, "large") == 0) replace(32, steps / 20, size_large);
    else if (std::strcmp(name, "remote") == 0) remote(steps);
    else return false;
    return true;
}

} // namespace

int main(int count, char **arguments) {
    calibrate();
    const uint64_t begin_ns = bench::nanoseconds(), begin = bench::ticks_begin();
    if (count != 2 || !run(arguments[1])) {
        std::fprintf(stderr, "usage: bench_latency small|mixed|large|remote\n");
        return 2;
    }
    const auto ticks = static_cast<double>(bench::ticks_end() - begin);
    const double ns_per_tick = static_cast<double>(bench::nanoseconds() - begin_ns) / ticks;
    report("malloc", mallocs, ns_per_tick);
    report("free", frees, ns_per_tick);
    return 0;
}
