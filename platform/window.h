// Where in the address space a large, mostly empty window may start, per architecture, address width and sanitizer.
// Knows addresses only: whether one is free is found out by reserving it.
#ifndef MB_PLATFORM_WINDOW_H
#define MB_PLATFORM_WINDOW_H

#include <stddef.h>
#include <stdint.h>

enum { MB_OS_WINDOW_CANDIDATES = 2 };

// A window of at most `bytes` may start anywhere in [first, last). bytes 0: no such place is known here; let the system
// choose. `start` is a random place in the range, aligned to 2 MiB.
struct mb_os_window {
    uintptr_t first, last;
    size_t bytes;
    uintptr_t start;
};

// The candidates in order of preference; `random` decides the starts. Any thread.
void mb_os_window_candidates(uint64_t random, struct mb_os_window out[MB_OS_WINDOW_CANDIDATES]);

#endif
