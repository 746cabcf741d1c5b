// What: how a workload reports figures to the driver that the kernel does not count: lines `bench: key=value` on
// stdout.
// Who: the main thread.
#ifndef MB_BENCH_SUPPORT_REPORT_H
#define MB_BENCH_SUPPORT_REPORT_H

namespace bench {

// Prints one line. Does not allocate.
void report(const char *key, double value);

// The present resident set of this process in KiB.
long resident_kib();

// Called at the end of every workload: reports the duration of the work (work_wall_ms), idles for MB_BENCH_IDLE_MS
// (1500), reports the cost of work and idle time together (cpu_ms, faults) and the resident set (final_kib), then calls
// malloc_trim and reports the resident set again (trimmed_kib). No figure includes the cost of the trim.
void finish_idle();

} // namespace bench

#endif
