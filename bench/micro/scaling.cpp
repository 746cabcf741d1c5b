// What: the same thread-local work in one and in two threads, with malloc and without. With an allocator whose threads
// share nothing, both scale alike. The driver reports the ratio of the speed-ups, which is part of no average.
#include <thread>
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void with_malloc(int64_t steps, uint64_t seed) {
    bench::Random random(seed);
    void *blocks[256] = {};
    for (int64_t i = 0; i < steps; ++i) {
        void *&p = blocks[random.below(256)];
        std::free(p);
        p = bench::allocate(bench::small_size(random));
    }
    for (void *p : blocks) std::free(p);
}

void without_malloc(int64_t steps, uint64_t seed) {
    bench::Random random(seed);
    uint64_t words[256] = {};
    for (int64_t i = 0; i < steps * 4; ++i) words[random.below(256)] += bench::small_size(random);
    benchmark::DoNotOptimize(words);
}

template <class Body>
void by_threads(unsigned count, int64_t steps, Body body) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) threads.emplace_back(body, steps, i + 1);
    for (std::thread &thread : threads) thread.join();
}

} // namespace

void register_scaling() {
    for (unsigned count = 1; count <= 2; ++count) {
        const std::string suffix = "/" + std::to_string(count);
        const int64_t steps = bench::scaled(10000000);
        add_once("scaling/malloc" + suffix, steps, [count](int64_t n) { by_threads(count, n, with_malloc); });
        add_once("scaling/loop" + suffix, steps, [count](int64_t n) { by_threads(count, n, without_malloc); });
    }
}

} // namespace micro
