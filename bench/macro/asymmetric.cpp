// What: some threads only allocate, others only free, as in xmalloc-test: batches of blocks of mixed sizes go through
// one queue.
//   bench_asymmetric [thousands of batches]
#include <cstdlib>
#include <thread>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/channel.h"
#include "bench/support/random.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { MAKERS = 2, FREERS = 2, BATCH = 120, WAITING = 256 };

struct Batch {
    void *blocks[BATCH];
};

void make(bench::Queue &queue, int64_t batches, uint64_t seed) {
    bench::Random random(seed);
    for (int64_t i = 0; i < batches; ++i) {
        auto *batch = static_cast<Batch *>(bench::allocate(sizeof(Batch)));
        for (void *&p : batch->blocks) p = bench::allocate(bench::mixed_size(random));
        queue.push(batch);
    }
}

void drop(bench::Queue &queue) {
    while (void *item = queue.pop()) {
        for (void *p : static_cast<Batch *>(item)->blocks) std::free(p);
        std::free(item);
    }
}

} // namespace

int main(int count, char **arguments) {
    const int64_t batches = bench::scaled((count > 1 ? std::atoll(arguments[1]) : 100) * 1000);
    bench::Queue queue(WAITING);
    std::vector<std::thread> makers, freers;
    for (uint64_t i = 0; i < MAKERS; ++i) makers.emplace_back(make, std::ref(queue), batches / MAKERS, i + 1);
    for (int i = 0; i < FREERS; ++i) freers.emplace_back(drop, std::ref(queue));
    for (std::thread &maker : makers) maker.join();
    for (int i = 0; i < FREERS; ++i) queue.push(nullptr);
    for (std::thread &freer : freers) freer.join();
    bench::finish_idle();
}
