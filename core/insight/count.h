// Counts what the process's memory is used for, by a walk over all descriptors.
//
// What: fills struct mb_statistics (core/told/statistics.h), and what each size class holds. Costs a look at each unit
// that has been used and two system calls for 4 MiB of them: measured 80 ms for 1 GiB of resident memory.
// Who: any thread, without locks; of two that count at once one says nothing about threads.
#ifndef MB_CORE_INSIGHT_COUNT_H
#define MB_CORE_INSIGHT_COUNT_H

#include "core/layout/size_class.h"
#include "core/told/statistics.h"

struct mb_count {
    struct mb_statistics all;
    struct mb_class_statistics of_class[MB_CLASSES];
};

void mb_count(struct mb_count *out);

// The threads that hold most free memory, as the last count has found it, at most `most` of them; the rest of `out` is
// 0. With monitor=1.
void mb_count_threads(struct mb_thread_statistics *out, unsigned most);

// The same for the allocator that serves the process. If that is not the default front of this copy, only the values
// that it counts are set, and the others are 0.
void mb_count_serving(struct mb_count *out);

#endif
