// Statistics as text: for people, as one JSON object on one line, or as Prometheus takes them. Any thread; nothing
// allocates.
#ifndef MB_CORE_INSIGHT_WRITE_H
#define MB_CORE_INSIGHT_WRITE_H

#include <stdbool.h>

#include "core/base/print.h"
#include "core/insight/count.h"

// Writes what was counted to a descriptor. `definitions`: text says what each number means.
void mb_count_write(int fd, const struct mb_count *count, enum mb_statistics_format format, bool definitions);

// Says in a sentence or two where the memory is.
void mb_count_in_words(struct mb_line *line, const struct mb_count *count);

#endif
