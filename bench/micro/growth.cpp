// What: the cost of growing, mostly page faults: allocates 500 MB of blocks, writes them completely, and frees them
// all. Twice: the second time the pages may still be resident, or fault again.
#include <cstring>
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

enum { CYCLES = 2 };

struct Range {
    size_t from, to;
};

void grow_and_free(bench::Random &random, Range range, size_t most, std::vector<void *> &blocks) {
    for (size_t held = 0; held < most;) {
        const size_t bytes = range.from + random.below(static_cast<uint32_t>(range.to - range.from));
        blocks.push_back(std::memset(bench::allocate(bytes), 1, bytes));
        held += bytes;
    }
    for (void *p : blocks) std::free(p);
    blocks.clear();
}

// One operation is 4 KiB written.
void growth(Range range, size_t most) {
    bench::Random random(range.to);
    std::vector<void *> blocks;
    blocks.reserve(most / range.from + 1);
    for (int i = 0; i < CYCLES; ++i) grow_and_free(random, range, most, blocks);
}

} // namespace

void register_growth() {
    const auto most = static_cast<size_t>(bench::scaled(500 << 20, 8 << 20));
    const struct {
        const char *name;
        Range range;
    } kinds[] = {{"small", {64, 2048}}, {"medium", {4u << 10, 256u << 10}}, {"1M", {256u << 10, 2u << 20}}, {"25M", {5u << 20, 25u << 20}}};
    for (const auto &kind : kinds) {
        const Range range = kind.range;
        const auto pages = static_cast<int64_t>(CYCLES * most / 4096);
        add_once(std::string("growth/") + kind.name, pages, [range, most](int64_t) { growth(range, most); });
    }
}

} // namespace micro
