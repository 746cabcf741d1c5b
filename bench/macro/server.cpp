// What: a server whose connections move from thread to thread (the benchmark of Larson and Krishnan): a thread replaces
// random blocks of its set for a while, starts another thread that continues with the set, and ends.
//   bench_server [rounds]
// Who: each set belongs to one thread at a time; most blocks are freed by a thread that did not allocate them.
#include <cstdlib>
#include <thread>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { LINES = 4, LIVE = 5000, REPLACED = 40000 };

using Set = std::vector<void *>;

void serve(Set &set, uint64_t seed) {
    bench::Random random(seed);
    for (int i = 0; i < REPLACED; ++i) {
        void *&p = set[random.below(LIVE)];
        std::free(p);
        p = bench::allocate(bench::small_size(random));
    }
}

// One chain of threads, each of which continues the work of the one before.
void line(Set &set, uint64_t seed, int64_t generations) {
    for (int64_t i = 0; i < generations; ++i) std::thread([&set, seed, i] { serve(set, seed + static_cast<uint64_t>(i)); }).join();
}

} // namespace

int main(int count, char **arguments) {
    const int64_t generations = bench::scaled(count > 1 ? std::atoll(arguments[1]) : 60);
    std::vector<Set> sets(LINES, Set(LIVE));
    std::vector<std::thread> lines;
    for (size_t i = 0; i < LINES; ++i) lines.emplace_back(line, std::ref(sets[i]), i * 1000 + 1, generations);
    for (std::thread &thread : lines) thread.join();
    for (Set &set : sets) {
        for (void *p : set) std::free(p);
    }
    bench::finish_idle();
}
