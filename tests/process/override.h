// Programs that define malloc, free, calloc and realloc themselves, and nothing else; and what they then call.
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

// Calls that reached the program's own four functions so far.
unsigned long own_calls(void);
// Blocks of somebody else's that reached the program's own free or realloc.
unsigned long own_foreigners(void);
// Whether p is a block that the program's own malloc knows.
bool own_has(const void *p);
// Whether malloc_usable_size may be asked about the program's blocks (they come from a heap that answers).
bool own_measurable(void);

#ifdef __cplusplus
}
#endif

#endif
