// What: the cost of each member and layer behind struct mb_allocator: a batch of 64-byte blocks and one reset, per block. The first
// line is the arena by name; what a layer costs is the difference to the line that it wraps.
#include <memory>

#include "bench/family/family.h"

namespace family {
namespace {

template <class Contender> void run(benchmark::State &state) {
    const auto contender = std::make_unique<Contender>();
    for (auto _ : state) {
        for (size_t i = 0; i < batch; i++) benchmark::DoNotOptimize(contender->allocate(64));
        contender->free_all();
    }
    state.SetItemsProcessed(static_cast<int64_t>(batch) * state.iterations());
}

template <class Contender> void add(const char *name) {
    benchmark::RegisterBenchmark((std::string("layer/") + name + "/64").c_str(), run<Contender>);
}

} // namespace

void register_layers() {
    add<Bump>("bump");
    add<Region>("region");
    if (Locked::allowed()) add<Member<Locked>>("locked");
}

} // namespace family
