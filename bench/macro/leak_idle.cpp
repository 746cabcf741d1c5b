// What: how much freed memory goes back to the system. Several threads allocate 200 MB of blocks of mixed sizes and
// free 97 % of them at random, some in another thread than allocated them; the rest is leaked. Then the program idles
// and reports what is resident.
//   bench_leak_idle [MB]
#include <cstdlib>
#include <thread>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { WORKERS = 4, LEAKED_IN_THOUSAND = 30 };

using Blocks = std::vector<void *>;

// Leaked blocks are consecutive allocations, as those of a cache or a table that is filled at one time.
void make(Blocks &blocks, uint64_t seed, size_t bytes) {
    bench::Random random(seed);
    while (bytes > 0) {
        const size_t size = bench::mixed_size(random);
        void *p = bench::allocate(size);
        bench::touch_pages(p, 0, size);
        blocks.push_back(p);
        bytes -= bytes < size ? bytes : size;
    }
}

void drop(Blocks &blocks, uint64_t seed) {
    bench::Random random(seed);
    for (size_t i = 0; i < blocks.size(); i += 64) {
        if (random.below(1000) < LEAKED_IN_THOUSAND) continue;
        for (size_t j = i; j < i + 64 && j < blocks.size(); ++j) std::free(blocks[j]);
    }
}

template <class Body>
void each_in_a_thread(Body body) {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < WORKERS; ++i) threads.emplace_back(body, i);
    for (std::thread &thread : threads) thread.join();
}

} // namespace

int main(int count, char **arguments) {
    const auto bytes = static_cast<size_t>(bench::scaled((count > 1 ? std::atoll(arguments[1]) : 200) << 20));
    std::vector<Blocks> blocks(WORKERS);
    each_in_a_thread([&](size_t i) { make(blocks[i], i + 1, bytes / WORKERS); });
    bench::report("full_kib", static_cast<double>(bench::resident_kib()));
    each_in_a_thread([&](size_t i) { drop(blocks[(i + 1) % WORKERS], i + 100); });
    std::vector<Blocks>().swap(blocks);
    bench::finish_idle();
}
