// What: large blocks: malloc and free of one size in turn, and a few live blocks of random sizes whose pages are
// touched.
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void reused(benchmark::State &state, size_t bytes) {
    for (auto _ : state) {
        void *p = bench::allocate(bytes);
        static_cast<volatile char *>(p)[bytes - 1] = 1;
        std::free(p);
    }
}

// Eight live blocks between half and all of `most`.
void jittered(benchmark::State &state, size_t most) {
    bench::Random random(most);
    std::vector<void *> blocks(8);
    for (auto _ : state) {
        void *&p = blocks[random.below(8)];
        std::free(p);
        const size_t bytes = most / 2 + random.below(static_cast<uint32_t>(most / 2));
        p = bench::allocate(bytes);
        bench::touch_pages(p, 0, bytes);
    }
    for (void *p : blocks) std::free(p);
}

} // namespace

void register_large() {
    const struct { const char *name; size_t bytes; int64_t pairs, jitters; } sizes[] = {
        {"64K", 64u << 10, 1000000, 300000},
        {"256K", 256u << 10, 500000, 60000},
        {"1M", 1u << 20, 100000, 12000},
        {"4M", 4u << 20, 50000, 1500},
        {"32M", 32u << 20, 10000, 50}};
    for (const auto &size : sizes) {
        const size_t bytes = size.bytes;
        add(std::string("large/reused/") + size.name, size.pairs, 1, [bytes](benchmark::State &state) { reused(state, bytes); });
        add(std::string("large/jittered/") + size.name, size.jitters, 1, [bytes](benchmark::State &state) { jittered(state, bytes); });
    }
}

} // namespace micro
