// Address ranges in which a mapping of up to 1 TiB is likely to find room, by architecture, address width and
// sanitizer. Only a table: the caller finds out whether a range is free by reserving it.
#ifndef MB_PLATFORM_WINDOW_H
#define MB_PLATFORM_WINDOW_H

#include <stddef.h>
#include <stdint.h>

enum { MB_OS_WINDOW_CANDIDATES = 2 };

// A window of at most `bytes` may start anywhere in [first, last). bytes 0: no range is known here, let the system
// choose. `start` is a random address of the range, aligned to 2 MiB.
struct mb_os_window {
    uintptr_t first, last;
    size_t bytes;
    uintptr_t start;
};

// Writes the candidates in order of preference; `random` decides where each starts. Any thread.
void mb_os_window_candidates(uint64_t random, struct mb_os_window out[MB_OS_WINDOW_CANDIDATES]);

#endif
