// What: registers micro benchmarks. Each does a fixed amount of work (times MB_BENCH_SCALE), so that every allocator
// does the same and peak memory can be compared; CPU time is that of the whole process. Each file of this folder
// registers a group of benchmarks, and main.cpp calls them all. The driver runs each benchmark in its own process.
#ifndef MB_BENCH_MICRO_MICRO_H
#define MB_BENCH_MICRO_MICRO_H

#include <benchmark/benchmark.h>
#include <cstdint>
#include <string>

#include "bench/support/blocks.h"
#include "bench/support/random.h"
#include "bench/support/scale.h"

namespace micro {

// `body` loops over the state; each of the (scaled) iterations does `operations`, by which the figures are divided.
template <class Body>
void add(const std::string &name, int64_t iterations, int64_t operations, Body body) {
    auto run = [body, operations](benchmark::State &state) {
        body(state);
        state.counters["operations"] = static_cast<double>(operations);
    };
    benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(bench::scaled(iterations))->MeasureProcessCPUTime();
}

// For bodies that start threads: a single iteration that does `operations` (already scaled).
template <class Body>
void add_once(const std::string &name, int64_t operations, Body body) {
    auto run = [body, operations](benchmark::State &state) {
        for (auto _ : state) body(operations);
        state.counters["operations"] = static_cast<double>(operations);
    };
    benchmark::RegisterBenchmark(name.c_str(), run)->Iterations(1)->MeasureProcessCPUTime();
}

void register_pairs();
void register_batches();
void register_live_sets();
void register_calloc();
void register_realloc();
void register_aligned();
void register_large();
void register_cross_thread();
void register_threads();
void register_written();
void register_growth();
void register_exchange();
void register_scaling();

} // namespace micro

#endif
