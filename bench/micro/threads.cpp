// What: threads that start, allocate one or a hundred blocks, and end; some leave a block that another thread frees.
#include <thread>
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

void one_block() { std::free(bench::allocate(64)); }

void hundred_blocks() {
    bench::Random random(17);
    void *blocks[100];
    for (void *&p : blocks) p = bench::allocate(bench::small_size(random));
    for (void *p : blocks) std::free(p);
}

void *left_behind;

void leaves_a_block() { left_behind = bench::allocate(200); }

template <class Body>
void start_and_end(benchmark::State &state, Body body) {
    for (auto _ : state) std::thread(body).join();
}

void orphans(benchmark::State &state) {
    for (auto _ : state) {
        std::thread(leaves_a_block).join();
        std::free(left_behind);
    }
}

} // namespace

void register_threads() {
    add("thread/one_block", 10000, 1, [](benchmark::State &state) { start_and_end(state, one_block); });
    add("thread/hundred_blocks", 10000, 1, [](benchmark::State &state) { start_and_end(state, hundred_blocks); });
    add("thread/left_behind", 10000, 1, orphans);
}

} // namespace micro
