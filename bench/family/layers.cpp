// What: the cost of each wrapping layer, in ns per block. "layer": a batch of 64-byte blocks is allocated from a
// size-classed allocator, then each is freed: by its own functions, through struct mb_allocator (`bare`), and under
// each single layer, whose cost is the difference to `bare`. "layer_reset": a batch and one reset, through struct
// mb_allocator, for the arenas and the locked region.
#include <memory>

#include "bench/family/members.h"

namespace family {
namespace {

constexpr size_t bytes = 64;

void nobody(void *, const mb_watermark_event *) {}

// A size-classed allocator under the layers that `Options` chooses.
template <class Options> class Wrapped {
  public:
    Wrapped() : options_{} {
        expect(mb_size_classed_new(&base_, room), "size-classed allocator");
        expect(mb_family_compose(&options_.all, &base_.allocator, &family_), "composed allocator");
        allocator_ = mb_family_allocator(family_);
    }
    ~Wrapped() { mb_family_drop(family_); } // drops the base, too
    void *take(size_t size) { return mb_allocator_allocate(allocator_, size, 16); }
    void give(void *p, size_t size) { mb_allocator_deallocate(allocator_, p, size); }

  private:
    Options options_;
    mb_size_classed base_;
    mb_family *family_;
    mb_allocator *allocator_;
};

struct Options {
    mb_family_options all = MB_FAMILY_OPTIONS;
    mb_statistics_config exact = MB_STATISTICS_CONFIG;
    mb_statistics_config grained = {sizeof grained, 16384};
    mb_watermark_config watermark = MB_WATERMARK_CONFIG(nobody, nullptr);
    mb_fault_config fault = MB_FAULT_CONFIG(MB_FAULT_NEVER, 0);
    mb_guard_config guard_all = MB_GUARD_CONFIG;
    mb_guard_config guard_some = {sizeof guard_some, 1000};
    mb_canary_config canary = MB_CANARY_CONFIG;
    mb_quarantine_config quarantine = MB_QUARANTINE_CONFIG;
    mb_poison_config poison = MB_POISON_CONFIG;
};
struct Bare : Options {};
struct Statistics : Options { Statistics() { all.statistics = &exact; } };
struct Grained : Options { Grained() { all.statistics = &grained; } };
struct Watermark : Options { Watermark() { all.watermark = &watermark; } };
struct Fault : Options { Fault() { all.fault = &fault; } };
struct GuardSome : Options { GuardSome() { all.guard = &guard_some; } };
struct GuardAll : Options { GuardAll() { all.guard = &guard_all; } };
struct Canary : Options { Canary() { all.canary = &canary; } };
struct Quarantine : Options { Quarantine() { all.quarantine = &quarantine; } };
struct Poison : Options { Poison() { all.poison = &poison; } };
struct All : Options {
    All() {
        all.statistics = &grained, all.watermark = &watermark, all.fault = &fault, all.guard = &guard_some;
        all.canary = &canary, all.quarantine = &quarantine, all.poison = &poison;
    }
};

template <class Contender> void run(benchmark::State &state) {
    const auto contender = std::make_unique<Contender>();
    static void *blocks[batch];
    for (auto _ : state) {
        for (size_t i = 0; i < batch; i++) benchmark::DoNotOptimize(blocks[i] = contender->take(bytes));
        for (size_t i = 0; i < batch; i++) contender->give(blocks[i], bytes);
    }
    state.SetItemsProcessed(static_cast<int64_t>(batch) * state.iterations());
}

template <class Contender> void run_reset(benchmark::State &state) {
    const auto contender = std::make_unique<Contender>();
    for (auto _ : state) {
        for (size_t i = 0; i < batch; i++) benchmark::DoNotOptimize(contender->allocate(bytes));
        contender->free_all();
    }
    state.SetItemsProcessed(static_cast<int64_t>(batch) * state.iterations());
}

// An arena with an offset of its own (cache colouring), which costs nothing per block.
class Coloured {
  public:
    Coloured() {
        mb_colour_config colour = MB_COLOUR_CONFIG;
        mb_family_options options = MB_FAMILY_OPTIONS;
        options.colour = &colour;
        expect(mb_region_allocator_new_lazy(&region_, room), "region");
        expect(mb_family_compose(&options, &region_.allocator, &family_), "coloured region");
    }
    ~Coloured() { mb_family_drop(family_); }
    mb_allocator *allocator() { return mb_family_allocator(family_); }

  private:
    mb_region_allocator region_;
    mb_family *family_;
};

class PlainRegion {
  public:
    PlainRegion() { expect(mb_region_allocator_new_lazy(&region_, room), "region"); }
    ~PlainRegion() { mb_allocator_drop(&region_.allocator); }
    mb_allocator *allocator() { return &region_.allocator; }

  private:
    mb_region_allocator region_;
};

template <class Contender> void add(const char *name) {
    benchmark::RegisterBenchmark((std::string("layer/") + name + "/64").c_str(), run<Contender>);
}
template <class Contender> void add_reset(const char *name) {
    benchmark::RegisterBenchmark((std::string("layer_reset/") + name + "/64").c_str(), run_reset<Contender>);
}

} // namespace

void register_layers() {
    add<SizeClassed>("by_name");
    add<Wrapped<Bare>>("bare");
    add<Wrapped<Statistics>>("statistics");
    add<Wrapped<Grained>>("statistics_16k");
    add<Wrapped<Watermark>>("watermark");
    add<Wrapped<Fault>>("fault");
    add<Wrapped<Canary>>("canary");
    add<Wrapped<Quarantine>>("quarantine");
    add<Wrapped<Poison>>("poison");
    add<Wrapped<GuardSome>>("guard_1_in_1000");
    add<Wrapped<GuardAll>>("guard_all");
    add<Wrapped<All>>("all");
    add_reset<BumpArena>("by_name");
    add_reset<Member<BumpArena>>("bump_arena");
    add_reset<Member<PlainRegion>>("region");
    add_reset<Member<Coloured>>("region_coloured");
    if (Locked::allowed()) add_reset<Member<Locked>>("locked");
}

} // namespace family
