// What: blocks that grow by realloc: one small block in small steps, many blocks by turns, a large block in steps, and
// one that doubles up to 512 MB. Each new page of a large block is touched, as when a buffer is filled.
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void *grow(void *p, size_t from, size_t to) {
    p = std::realloc(p, to);
    if (p == nullptr) bench::out_of_memory(to);
    bench::touch_pages(p, from, to);
    return p;
}

void small_steps(benchmark::State &state) {
    for (auto _ : state) {
        void *p = nullptr;
        for (size_t bytes = 16; bytes <= 16384; bytes += 16) p = bench::checked(std::realloc(p, bytes), bytes);
        std::free(p);
    }
}

void in_turn(benchmark::State &state) {
    bench::Random random(3);
    for (auto _ : state) {
        std::vector<void *> strings(200);
        std::vector<size_t> sizes(200);
        for (int step = 0; step < 20000; ++step) {
            const uint32_t i = random.below(200);
            sizes[i] += 8 + random.below(64);
            strings[i] = bench::checked(std::realloc(strings[i], sizes[i]), sizes[i]);
        }
        for (void *p : strings) std::free(p);
    }
}

void large_steps(benchmark::State &state) {
    for (auto _ : state) {
        void *p = nullptr;
        size_t from = 0;
        for (size_t bytes = 65536; bytes <= 16u << 20; bytes += 65536) {
            p = grow(p, from, bytes);
            from = bytes;
        }
        std::free(p);
    }
}

void doubling(benchmark::State &state, size_t last) {
    for (auto _ : state) {
        void *p = nullptr;
        size_t from = 0;
        for (size_t bytes = 1u << 20; bytes <= last; bytes *= 2) {
            p = grow(p, from, bytes);
            from = bytes;
        }
        std::free(p);
    }
}

} // namespace

void register_realloc() {
    add("realloc/small_steps", 6000, 1024, small_steps);
    add("realloc/in_turn", 120, 20000, in_turn);
    add("realloc/large_steps", 20, 256, large_steps);
    add("realloc/doubling_16M", 40, 5, [](benchmark::State &state) { doubling(state, 16u << 20); });
    add("realloc/doubling_512M", 2, 10, [](benchmark::State &state) { doubling(state, 512u << 20); });
}

} // namespace micro
