#include "core/base/report.h"

#include "core/base/check.h"

MB_COLD enum mb_error mb_report(struct mb_reports *reports, enum mb_error error, const char *what, const void *p) {
    __atomic_fetch_add(&reports->events, 1, __ATOMIC_RELAXED);
    if (reports->policy == MB_POLICY_ABORT) mb_fatal(what, p);
    if (reports->policy == MB_POLICY_LOG) mb_warn(what, p);
    return error;
}
