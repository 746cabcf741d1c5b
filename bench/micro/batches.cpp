// What: a batch of blocks of one size is allocated, then freed in the same order, in reverse, or shuffled.
#include <algorithm>
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

enum class Order { in_order, reverse, random };

std::vector<uint32_t> free_order(Order order, size_t count) {
    std::vector<uint32_t> result(count);
    for (size_t i = 0; i < count; ++i) result[i] = static_cast<uint32_t>(i);
    if (order == Order::reverse) std::reverse(result.begin(), result.end());
    if (order != Order::random) return result;
    bench::Random random(7);
    for (size_t i = count - 1; i > 0; --i) std::swap(result[i], result[random.below(static_cast<uint32_t>(i + 1))]);
    return result;
}

void batch(benchmark::State &state, Order order, size_t bytes, size_t count) {
    const std::vector<uint32_t> frees = free_order(order, count);
    std::vector<void *> blocks(count);
    for (auto _ : state) {
        for (void *&p : blocks) p = bench::allocate(bytes);
        for (const uint32_t i : frees) std::free(blocks[i]);
    }
}

void add_batch(const char *name, Order order, size_t bytes, size_t count) {
    const std::string full = std::string("batch/") + name + "/" + std::to_string(bytes) + "x" + std::to_string(count);
    const auto operations = static_cast<int64_t>(count);
    add(full, 12000000 / operations, operations,
        [=](benchmark::State &state) { batch(state, order, bytes, count); });
}

} // namespace

void register_batches() {
    const struct { const char *name; Order order; } orders[] = {
        {"in_order", Order::in_order}, {"reverse", Order::reverse}, {"random", Order::random}};
    for (const auto &one : orders) {
        add_batch(one.name, one.order, 64, 100);
        add_batch(one.name, one.order, 64, 10000);
        add_batch(one.name, one.order, 512, 1000);
    }
}

} // namespace micro
