// A model of cache coherence that counts how often a cache line moves from one processor to another, fed with every
// memory access of the core.
//
// What: the core is compiled with -fsanitize=thread, so that each load, store and atomic operation calls a function;
// lines_runtime.c defines these functions, and no sanitizer is linked. Every thread counts as a processor with an
// infinite cache. Reading a line that another thread has written is a transfer, and so is writing a line that another
// thread has read or written. Accesses inside the C library's memcpy and memset are not seen.
// Who: threads that take turns. As only one thread accesses memory at a time, every run gives the same count.
#ifndef MB_TESTS_COST_LINES_H
#define MB_TESTS_COST_LINES_H

#include <stdint.h>

// Starts counting, with the present state of all lines / stops counting.
void lines_start(void);
uint64_t lines_stop(void);

// Prints the places in the code that transferred lines most often: the count and the code address.
void lines_tell(const char *name);

#endif
