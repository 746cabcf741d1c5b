// What: calloc and free of small blocks, whose memory was used before, and of large ones of which one byte is used.
#include "bench/micro/micro.h"

namespace micro {
namespace {

void zeroed(benchmark::State &state, size_t bytes) {
    for (auto _ : state) std::free(bench::checked(std::calloc(1, bytes), bytes));
}

} // namespace

void register_calloc() {
    const struct { const char *name; size_t bytes; int64_t iterations; } sizes[] = {
        {"calloc/32", 32, 15000000},     {"calloc/256", 256, 12000000},        {"calloc/4K", 4096, 4000000},
        {"calloc/128K", 131072, 100000}, {"calloc/1M", 1048576, 20000},       {"calloc/64M", 67108864, 5000}};
    for (const auto &size : sizes) {
        const size_t bytes = size.bytes;
        add(size.name, size.iterations, 1, [bytes](benchmark::State &state) { zeroed(state, bytes); });
    }
}

} // namespace micro
