// What: see report.h. No function here allocates, so that the figures are those of the workload alone.
#include "bench/support/report.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

const Clock::time_point started = Clock::now();

double milliseconds(const timeval &t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
}

void report_usage() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    report("cpu_ms", milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime));
    report("faults", static_cast<double>(usage.ru_minflt + usage.ru_majflt));
}

} // namespace

void report(const char *key, double value) {
    char line[128];
    const int length = std::snprintf(line, sizeof line, "bench: %s=%.3f\n", key, value);
    const ssize_t written = write(STDOUT_FILENO, line, static_cast<size_t>(length));
    if (written != length) std::_Exit(4);
}

long resident_kib() {
    char text[256] = "";
    const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (got <= 0) return 0;
    char *second = text;
    std::strtol(text, &second, 10);
    return std::strtol(second, nullptr, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

void finish_idle() {
    const std::chrono::duration<double, std::milli> work = Clock::now() - started;
    report("work_wall_ms", work.count());
    const char *text = std::getenv("MB_BENCH_IDLE_MS");
    std::this_thread::sleep_for(std::chrono::milliseconds(text ? std::max(0, std::atoi(text)) : 1500));
    report_usage();
    report("final_kib", static_cast<double>(resident_kib()));
    malloc_trim(0);
    report("trimmed_kib", static_cast<double>(resident_kib()));
}

} // namespace bench
