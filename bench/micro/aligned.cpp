// What: posix_memalign and free: aligned to a cache line, to a page, and to mixed alignments in a small live set.
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void *aligned(size_t alignment, size_t bytes) {
    void *p = nullptr;
    if (posix_memalign(&p, alignment, bytes) != 0) bench::out_of_memory(bytes);
    return bench::checked(p, bytes);
}

void pair(benchmark::State &state, size_t alignment, size_t bytes) {
    for (auto _ : state) std::free(aligned(alignment, bytes));
}

void mixed(benchmark::State &state) {
    bench::Random random(5);
    std::vector<void *> blocks(1000);
    for (auto _ : state) {
        void *&p = blocks[random.below(1000)];
        std::free(p);
        p = aligned(size_t{16} << random.below(9), bench::small_size(random));
    }
    for (void *p : blocks) std::free(p);
}

} // namespace

void register_aligned() {
    add("aligned/64", 15000000, 1, [](benchmark::State &state) { pair(state, 64, 200); });
    add("aligned/4096", 5000000, 1, [](benchmark::State &state) { pair(state, 4096, 4096); });
    add("aligned/mixed", 4000000, 1, mixed);
}

} // namespace micro
