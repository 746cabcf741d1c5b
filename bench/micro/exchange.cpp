// What: threads that replace blocks of random sizes in live sets at the same time: each in its own set; all in one
// shared set, so that most blocks are freed by a thread that did not allocate them; and each in its own set with every
// 16th block going to a shared one.
// Who: threads change a shared slot by an atomic exchange; the thread that takes a block out frees it.
#include <atomic>
#include <thread>
#include <vector>

#include "bench/micro/micro.h"

namespace micro {
namespace {

enum { SHARED_SLOTS = 4096, LEFT_ONE_IN = 16 };

using Slots = std::vector<std::atomic<void *>>;

void own_set(int64_t steps, uint64_t seed, size_t live) {
    bench::Random random(seed);
    std::vector<void *> blocks(live);
    for (void *&p : blocks) p = bench::allocate(bench::mixed_size(random));
    for (int64_t i = 0; i < steps; ++i) {
        void *&p = blocks[random.below(static_cast<uint32_t>(live))];
        std::free(p);
        p = bench::allocate(bench::mixed_size(random));
    }
    for (void *p : blocks) std::free(p);
}

std::atomic<void *> &any_of(Slots &slots, bench::Random &random) { return slots[random.below(static_cast<uint32_t>(slots.size()))]; }

void shared_set(int64_t steps, uint64_t seed, Slots &slots) {
    bench::Random random(seed);
    for (int64_t i = 0; i < steps; ++i) std::free(any_of(slots, random).exchange(bench::allocate(bench::small_size(random))));
}

void own_set_and_shared(int64_t steps, uint64_t seed, Slots &slots) {
    bench::Random random(seed);
    std::vector<void *> blocks(1000);
    for (int64_t i = 0; i < steps; ++i) {
        void *&p = blocks[random.below(static_cast<uint32_t>(blocks.size()))];
        if (random.one_in(LEFT_ONE_IN)) p = any_of(slots, random).exchange(p);
        std::free(p);
        p = bench::allocate(bench::small_size(random));
    }
    for (void *p : blocks) std::free(p);
}

// `body(steps, seed)` in each of `count` threads, `steps` in all.
template <class Body> void in_threads(unsigned count, int64_t steps, Body body) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; ++i) threads.emplace_back(body, steps / count, i + 1);
    for (std::thread &thread : threads) thread.join();
}

template <class Body> void in_threads_with_slots(unsigned count, int64_t steps, Body body) {
    Slots slots(SHARED_SLOTS);
    in_threads(count, steps, [&slots, body](int64_t n, uint64_t seed) { body(n, seed, slots); });
    for (std::atomic<void *> &slot : slots) std::free(slot.load());
}

void register_own(const char *name, unsigned count, size_t live) {
    add_once(name, bench::scaled(8000000),
             [count, live](int64_t n) { in_threads(count, n, [live](int64_t steps, uint64_t seed) { own_set(steps, seed, live); }); });
}

} // namespace

void register_exchange() {
    register_own("live_threads/2/1e3", 2, 1000);
    register_own("live_threads/2/1e5", 2, 100000);
    register_own("live_threads/8/1e4", 8, 10000);
    for (unsigned count : {2u, 8u}) {
        const std::string suffix = "/" + std::to_string(count);
        const int64_t steps = bench::scaled(8000000);
        add_once("exchange/shared" + suffix, steps, [count](int64_t n) { in_threads_with_slots(count, n, shared_set); });
        add_once("exchange/some" + suffix, steps, [count](int64_t n) { in_threads_with_slots(count, n, own_set_and_shared); });
    }
}

} // namespace micro
