// What: a program whose block sizes change from phase to phase: each phase allocates 48 MB of blocks from its own range
// of sizes and frees 95 % of them at random. The memory that a phase has freed should serve the next one.
//   bench_phases [times through all phases]
// Who: two threads, each with its own blocks.
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { WORKERS = 2 };

const auto phase_bytes = static_cast<size_t>(bench::scaled(24 << 20, 1 << 20));

constexpr std::pair<uint32_t, uint32_t> ranges[] = {{16, 48}, {200, 400}, {1000, 3000}, {40, 90}, {5000, 20000}, {100, 160}, {30000, 120000}, {24, 600}};

std::vector<void *> fill(bench::Random &random, uint32_t from, uint32_t to) {
    std::vector<void *> blocks;
    for (size_t bytes = 0; bytes < phase_bytes;) {
        const size_t size = from + random.below(to - from);
        void *p = bench::allocate(size);
        bench::touch_pages(p, 0, size);
        blocks.push_back(p);
        bytes += size;
    }
    return blocks;
}

// Frees all but one in 20, in random order; returns the rest.
std::vector<void *> shrink(bench::Random &random, std::vector<void *> blocks) {
    std::vector<void *> kept;
    while (!blocks.empty()) {
        std::swap(blocks[random.below(static_cast<uint32_t>(blocks.size()))], blocks.back());
        if (blocks.size() % 20 == 0) kept.push_back(blocks.back());
        else std::free(blocks.back());
        blocks.pop_back();
    }
    return kept;
}

void work(int64_t times, uint64_t seed) {
    bench::Random random(seed);
    std::vector<std::vector<void *>> survivors(std::size(ranges));
    for (int64_t i = 0; i < times; ++i) {
        for (size_t phase = 0; phase < std::size(ranges); ++phase) {
            for (void *p : survivors[phase]) std::free(p);
            survivors[phase] = shrink(random, fill(random, ranges[phase].first, ranges[phase].second));
        }
    }
    for (const auto &blocks : survivors) {
        for (void *p : blocks) std::free(p);
    }
}

} // namespace

int main(int count, char **arguments) {
    const int64_t times = count > 1 ? std::atoll(arguments[1]) : 2;
    std::vector<std::thread> workers;
    for (uint64_t i = 0; i < WORKERS; ++i) workers.emplace_back(work, times, i + 1);
    for (std::thread &worker : workers) worker.join();
    bench::finish_idle();
}
