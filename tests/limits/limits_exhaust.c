// Runs out of memory under the limit it was started with (ulimit -v, ulimit -d), single- and multi-threaded, and
// recovers.
// Usage: limits_exhaust THREADS
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/limits/exhaust.h"
#include "tests/limits/measure.h"

int main(int argc, char **argv) {
    measure_under_mbmalloc();
    struct rlimit as, data;
    getrlimit(RLIMIT_AS, &as);
    getrlimit(RLIMIT_DATA, &data);
    if (as.rlim_cur == RLIM_INFINITY && data.rlim_cur == RLIM_INFINITY) skip_test("needs ulimit -v or ulimit -d");
    exhaust_run(&(struct exhaust_plan){.api = mem_api_libc(),
                                       .table_blocks = 1 << 16, .threads = argc > 1 ? (unsigned)atoi(argv[1]) : 0,
                                       .live_bytes = 4 * MIB,
                                       .cap_bytes = SIZE_MAX,
                                       .largest_bytes = 4 * MIB,
                                       .must_be_refused = true});
    puts("ok");
    return 0;
}
