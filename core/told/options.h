// Options: MBMALLOC_OPTIONS="key=value,key=value", read once before the first block is handed out, never in secure execution.
// The table in options.c is parser and documentation at once.
#ifndef MB_CORE_TOLD_OPTIONS_H
#define MB_CORE_TOLD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/compiler.h"

enum mb_stats_when { MB_STATS_NEVER, MB_STATS_EXIT };

struct mb_options {
    uint64_t huge_pages;     // 1: huge pages are asked for once the heap is large
    uint64_t background;     // 1: a helper thread gives memory back while two or more threads have heaps
    uint64_t purge_delay_ms; // free pages older than this go back to the system
    uint64_t seed;           // not 0: in place of what the system calls random, so that a run can be repeated
    uint64_t stats;          // enum mb_stats_when
    char stats_file[256];    // append one line of statistics at exit; empty: no
};

extern MB_HIDDEN struct mb_options mb_options;

// A misspelt key or value is one warning line with the nearest match, and the rest still counts.
void mb_options_init(void);

#endif
