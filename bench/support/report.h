// What: what a workload tells the driver besides what the kernel counts: lines `bench: key=value` on stdout.
// Who: the main thread.
#ifndef MB_BENCH_SUPPORT_REPORT_H
#define MB_BENCH_SUPPORT_REPORT_H

namespace bench {

// Prints one line. Does not allocate.
void report(const char *key, double value);

// Resident KiB of this process, now.
long resident_kib();

// The end of every workload: says what the work cost (work_wall_ms), stays idle for MB_BENCH_IDLE_MS (1500), says
// what work and idling cost together (cpu_ms, faults) and what is still resident (final_kib), then asks for
// malloc_trim and says it again (trimmed_kib). What the trim costs is in no figure.
void finish_idle();

} // namespace bench

#endif
