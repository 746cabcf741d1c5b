// What: memory of a thousand idle threads: each allocates one block of each of 20 sizes and waits, then frees all of
// them and waits again.
//   bench_idle_threads [threads]
// Reports held_kib_per_thread and freed_kib_per_thread (the latter after malloc_trim): resident memory beyond that of
// the same threads before they allocate, which is measured first.
// Who: all threads and the main thread meet at six barriers; the main thread measures between them.
#include <cstdlib>
#include <malloc.h>
#include <pthread.h>
#include <vector>

#include "bench/support/blocks.h"
#include "bench/support/report.h"
#include "bench/support/scale.h"

namespace {

enum { SIZES = 20, STACK_BYTES = 64 << 10 };

constexpr size_t sizes[SIZES] = {16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024, 2048};

pthread_barrier_t barrier;

void wait_for_all() { pthread_barrier_wait(&barrier); }

void *mostly_idle(void *) {
    void *blocks[SIZES] = {};
    wait_for_all(); // all threads run
    wait_for_all(); // the main thread has measured them
    for (int i = 0; i < SIZES; ++i) blocks[i] = bench::allocate(sizes[i]);
    wait_for_all(); // all have allocated
    wait_for_all(); // measured
    for (void *p : blocks) std::free(p);
    wait_for_all(); // all have freed
    wait_for_all(); // measured
    return nullptr;
}

std::vector<pthread_t> start(size_t count) {
    std::vector<pthread_t> threads(count);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (pthread_t &thread : threads) {
        if (pthread_create(&thread, &attributes, mostly_idle, nullptr) != 0) std::_Exit(5);
    }
    pthread_attr_destroy(&attributes);
    return threads;
}

// Measures resident memory once all threads are at the next barrier.
double measured(bool trim) {
    wait_for_all();
    if (trim) malloc_trim(0);
    const auto kib = static_cast<double>(bench::resident_kib());
    wait_for_all();
    return kib;
}

} // namespace

int main(int count, char **arguments) {
    const auto threads = static_cast<size_t>(bench::scaled(count > 1 ? std::atoll(arguments[1]) : 1000, 10));
    pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(threads + 1));
    const std::vector<pthread_t> running = start(threads);
    const double without = measured(false), held = measured(false), freed = measured(true);
    for (const pthread_t thread : running) pthread_join(thread, nullptr);
    bench::report("held_kib_per_thread", (held - without) / static_cast<double>(threads));
    bench::report("freed_kib_per_thread", (freed - without) / static_cast<double>(threads));
    bench::finish_idle();
}
