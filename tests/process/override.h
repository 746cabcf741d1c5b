// Programs that define malloc, free, calloc and realloc, but no other name of the family, and what their calls then
// reach.
//
// own_* are defined by override_wrap.c (wrappers around the next malloc by dlsym) and override_pool.c (a heap of its
// own in static storage); override_body.cpp is the common main.
#ifndef MB_TESTS_PROCESS_OVERRIDE_H
#define MB_TESTS_PROCESS_OVERRIDE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// The number of calls of the program's own four functions so far.
unsigned long own_calls(void);
// The number of foreign blocks that were passed to the program's own free or realloc.
unsigned long own_foreigners(void);
// Whether p is a block of the program's own malloc.
bool own_has(const void *p);
// Whether malloc_usable_size works for the program's blocks (because the heap below provides it).
bool own_measurable(void);

#ifdef __cplusplus
}
#endif

#endif
