// What: a set of live blocks of random sizes; each step frees one at random and allocates another of a new size.
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void replace(benchmark::State &state, size_t live) {
    bench::Random random(live);
    std::vector<void *> blocks(live);
    for (void *&p : blocks) p = bench::allocate(bench::mixed_size(random));
    for (auto _ : state) {
        void *&p = blocks[random.below(static_cast<uint32_t>(live))];
        std::free(p);
        p = bench::allocate(bench::mixed_size(random));
    }
    for (void *p : blocks) std::free(p);
}

} // namespace

void register_live_sets() {
    const struct { const char *name; size_t live; int64_t steps; } sets[] = {
        {"live/1e3", 1000, 10000000}, {"live/1e4", 10000, 8000000}, {"live/1e5", 100000, 4000000}, {"live/1e6", 1000000, 3000000}};
    for (const auto &set : sets) {
        const size_t live = set.live;
        add(set.name, set.steps, 1, [live](benchmark::State &state) { replace(state, live); });
    }
}

} // namespace micro
