// What: long-term fragmentation: of many short-lived blocks one in 50, chosen at random, lives very long, and the
// distribution of sizes drifts, as in a server whose traffic changes over the day. About 40 MB are live.
//   bench_survivors [time]      one unit of time is a fixed amount of work, about a second
// Also reports live_kib: the bytes of live blocks, as the program requested them, at the end of the work.
#include <cstdlib>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { STEPS_PER_TIME = 6000000, YOUNG = 20000, OLD_BYTES = 32 << 20 };

struct Block {
    void *p;
    size_t bytes;
};

class Heap {
public:
    void step(bench::Random &random, size_t bytes) {
        Block &slot = young_[random.below(YOUNG)];
        if (slot.p != nullptr && random.one_in(50)) promote(random, slot);
        else drop(slot);
        slot = {bench::allocate(bytes), bytes};
        live_ += bytes;
    }

    size_t live() const { return live_; }

    void drop_all() {
        for (Block &block : young_) drop(block);
        for (Block &block : old_) drop(block);
    }

private:
    void promote(bench::Random &random, const Block &block) {
        old_.push_back(block);
        old_bytes_ += block.bytes;
        while (old_bytes_ > OLD_BYTES) {
            std::swap(old_[random.below(static_cast<uint32_t>(old_.size()))], old_.back());
            old_bytes_ -= old_.back().bytes;
            drop(old_.back());
            old_.pop_back();
        }
    }

    void drop(Block &block) {
        std::free(block.p);
        live_ -= block.bytes;
    }

    std::vector<Block> young_ = std::vector<Block>(YOUNG);
    std::vector<Block> old_;
    size_t old_bytes_ = 0, live_ = 0;
};

// The most frequent size rises from 32 bytes to 1 KiB and falls again, ten times in each unit of time.
size_t drifting_size(bench::Random &random, int64_t step) {
    const int64_t position = step % (STEPS_PER_TIME / 10) * 20 / STEPS_PER_TIME; // 0 or 1: rising, falling
    const int64_t within = step % (STEPS_PER_TIME / 20) * 992 / (STEPS_PER_TIME / 20);
    const auto favourite = static_cast<uint32_t>(position == 0 ? 32 + within : 1024 - within);
    return random.one_in(3) ? bench::mixed_size(random) : favourite + random.below(32);
}

} // namespace

int main(int count, char **arguments) {
    const int64_t steps = bench::scaled((count > 1 ? std::atoll(arguments[1]) : 1) * STEPS_PER_TIME);
    bench::Random random(1);
    Heap heap;
    for (int64_t i = 0; i < steps; ++i) heap.step(random, drifting_size(random, i));
    bench::report("live_kib", static_cast<double>(heap.live()) / 1024);
    heap.drop_all();
    bench::finish_idle();
}
