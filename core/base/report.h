// Applies enum mb_policy when a member of the region family has found misuse or damage that it can survive: it reports,
// aborts or ignores.
#ifndef MB_CORE_BASE_REPORT_H
#define MB_CORE_BASE_REPORT_H

#include <stdint.h>

#include "core/base/allocator.h"

struct mb_reports {
    enum mb_policy policy; // constant while the member lives
    uint64_t events;       // monotone; written by any thread, relaxed (__atomic), read by mb_reports_count
};

// Ends the process with one line, or says the line, or stays silent, as the policy wants; counts; returns `error`. The
// line is `mbmalloc: <what>: 0x<p>`. Any thread; never allocates.
enum mb_error mb_report(struct mb_reports *reports, enum mb_error error, const char *what, const void *p);

MB_INLINE uint64_t mb_reports_count(const struct mb_reports *reports) {
    return __atomic_load_n(&reports->events, __ATOMIC_RELAXED);
}

#endif
