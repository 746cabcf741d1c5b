// How often a cache line goes from one processor to another: a model of it, fed with each memory access of the core.
//
// What: the core is compiled as for the thread sanitizer, so that each of its loads, stores and atomic operations calls
// a function of ours (lines_runtime.c; no sanitizer is linked). Every thread stands for a processor with a cache that
// never forgets. A line that another thread has written must be fetched to be read, one that another thread has read or
// written to be written. What memcpy and memset of the libc do is not seen.
// Who: threads that take turns; with one access at a time the count is the same at every run.
#ifndef MB_TESTS_COST_LINES_H
#define MB_TESTS_COST_LINES_H

#include <stdint.h>

// From now on, with all that is known of the lines / until now.
void lines_start(void);
uint64_t lines_stop(void);

// Prints the places that had to fetch a line most often: the count, and the address of the code.
void lines_tell(const char *name);

#endif
