// What: runs the benchmarks of the region family and prints, under the figures, how many times faster each member is
// than the faster of glibc and jemalloc. bench_family --benchmark_filter='^reset_plain/' runs one question;
// --benchmark_repetitions=N gives medians.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <unistd.h>

#include "bench/family/family.h"

namespace {

// Sorts the names "question/contender/rest" by question and rest, then by contender; figures are ns per block.
class Ratios : public benchmark::ConsoleReporter {
  public:
    void ReportRuns(const std::vector<Run> &runs) override {
        ConsoleReporter::ReportRuns(runs);
        for (const Run &run : runs) note(run);
    }

    void print() const {
        std::printf("\nns per block, and the faster of glibc and jemalloc over it\n");
        for (const auto &row : rows_) print_row(row.first, row.second);
    }

  private:
    void note(const Run &run) {
        const bool median = run.run_type == Run::RT_Aggregate && run.aggregate_name == "median";
        const auto items = run.counters.find("items_per_second");
        if (items == run.counters.end() || (run.run_type == Run::RT_Aggregate && !median)) return;
        const std::string name = run.run_name.str();
        const size_t first = name.find('/'), second = name.find('/', first + 1);
        rows_[name.substr(0, first) + name.substr(second)][name.substr(first + 1, second - first - 1)] = 1e9 / items->second.value;
    }

    static double rival(const std::map<std::string, double> &row) {
        double best = 0;
        for (const char *name : {"glibc", "jemalloc"}) {
            const auto found = row.find(name);
            if (found != row.end() && (best == 0 || found->second < best)) best = found->second;
        }
        return best;
    }

    static void print_row(const std::string &question, const std::map<std::string, double> &row) {
        std::printf("%-40s", question.c_str());
        const double best = rival(row);
        for (const auto &figure : row) {
            std::printf("  %s %.2f", figure.first.c_str(), figure.second);
            if (best > 0 && figure.first != "glibc" && figure.first != "jemalloc") std::printf(" (%.1fx)", best / figure.second);
        }
        std::printf("\n");
    }

    std::map<std::string, std::map<std::string, double>> rows_;
};

// jemalloc's thread-local variables need static TLS space that the loader must reserve at the start.
void restart_with_static_tls(char **arguments) {
    if (std::getenv("GLIBC_TUNABLES") != nullptr) return;
    setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=16384", 1);
    execv("/proc/self/exe", arguments);
}

} // namespace

int main(int count, char **arguments) {
    restart_with_static_tls(arguments);
    if (!family::jemalloc::load()) std::fprintf(stderr, "bench_family: without jemalloc (libjemalloc.so.2, Debian's libjemalloc2)\n");
    family::register_allocate_and_reset();
    family::register_allocate_and_free();
    family::register_shared();
    family::register_layers();
    benchmark::Initialize(&count, arguments);
    if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
    Ratios ratios;
    if (benchmark::RunSpecifiedBenchmarks(&ratios) == 0) return 1;
    ratios.print();
    return 0;
}
