// What: the micro benchmarks. bench_micro --benchmark_list_tests names them, --benchmark_filter='^pair/64/' runs one.
#include "bench/micro/micro.h"

int main(int count, char **arguments) {
    micro::register_pairs();
    micro::register_batches();
    micro::register_live_sets();
    micro::register_calloc();
    micro::register_realloc();
    micro::register_aligned();
    micro::register_large();
    micro::register_cross_thread();
    micro::register_threads();
    micro::register_written();
    micro::register_growth();
    micro::register_exchange();
    micro::register_scaling();
    benchmark::Initialize(&count, arguments);
    if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
    return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}
