// Names and descriptions of the statistics, in the order of the fields of struct mb_statistics. Constant.
#ifndef MB_CORE_TOLD_STATISTICS_TABLE_H
#define MB_CORE_TOLD_STATISTICS_TABLE_H

#include <stdbool.h>

#include "core/told/statistics.h"
#include "platform/compiler.h"

struct mb_statistics_row {
    char name[28];
    char help[130];
    uint8_t kind; // enum mb_statistics_kind
};

enum { MB_STATISTICS_ROWS = (sizeof(struct mb_statistics) - sizeof(size_t)) / sizeof(uint64_t) };

extern MB_HIDDEN const struct mb_statistics_row mb_statistics_rows[MB_STATISTICS_ROWS];

MB_INLINE uint64_t mb_statistics_value(const struct mb_statistics *statistics, unsigned row) { return (&statistics->resident_bytes)[row]; }

// Whether there is a value: an estimate of 0 is none.
MB_INLINE bool mb_statistics_is_known(const struct mb_statistics *statistics, unsigned row) {
    return mb_statistics_rows[row].kind != MB_STATISTICS_ESTIMATE || mb_statistics_value(statistics, row) != 0;
}

#endif
