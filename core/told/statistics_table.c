#include "core/told/statistics_table.h"

const struct mb_statistics_row mb_statistics_rows[MB_STATISTICS_ROWS] = {
#define ROW(name, kind, help) {#name, help, MB_STATISTICS_##kind},
    MB_STATISTICS_TABLE(ROW)
#undef ROW
};

_Static_assert(offsetof(struct mb_statistics, resident_bytes) == sizeof(uint64_t), "the values are an array behind the size");
