// What: malloc and free of one block in turn, which is the allocator's fast path; and malloc_usable_size.
#include <malloc.h>
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void pair(benchmark::State &state, size_t bytes) {
    for (auto _ : state) std::free(bench::allocate(bytes));
}

void usable_size(benchmark::State &state) {
    bench::Random random(1);
    std::vector<void *> blocks(1000);
    for (void *&p : blocks) p = bench::allocate(bench::small_size(random));
    size_t sum = 0;
    for (auto _ : state) {
        for (void *p : blocks) sum += malloc_usable_size(p);
    }
    benchmark::DoNotOptimize(sum);
    for (void *p : blocks) std::free(p);
}

} // namespace

void register_pairs() {
    for (size_t bytes = 8; bytes <= 4096; bytes *= 2) {
        add("pair/" + std::to_string(bytes), 20000000, 1, [bytes](benchmark::State &state) { pair(state, bytes); });
    }
    add("usable_size", 60000, 1000, usable_size);
}

} // namespace micro
