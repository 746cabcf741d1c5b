// What: blocks that are written completely, eight of which are live; for each new block the oldest is freed. An
// allocator that reuses recently freed memory finds it in the processor's cache.
#include <cstring>
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void written(benchmark::State &state, size_t bytes) {
    void *blocks[8] = {};
    size_t oldest = 0;
    for (auto _ : state) {
        void *&p = blocks[oldest++ % std::size(blocks)];
        std::free(p);
        p = std::memset(bench::allocate(bytes), 1, bytes);
        benchmark::DoNotOptimize(p);
    }
    for (void *p : blocks) std::free(p);
}

} // namespace

void register_written() {
    const struct {
        const char *name;
        size_t bytes;
        int64_t blocks;
    } sizes[] = {
        {"64", 64, 10000000}, {"1K", 1u << 10, 5000000}, {"16K", 16u << 10, 600000}, {"256K", 256u << 10, 30000}, {"2M", 2u << 20, 2000}};
    for (const auto &size : sizes) {
        const size_t bytes = size.bytes;
        add(std::string("written/") + size.name, size.blocks, 1, [bytes](benchmark::State &state) { written(state, bytes); });
    }
}

} // namespace micro
