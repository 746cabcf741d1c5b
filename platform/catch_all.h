// try { function() } catch (...) {} for C: calls a function and swallows a C++ exception that it throws. Used for
// new-handlers in static C++ programs.
// Who: any thread.
#ifndef MB_PLATFORM_CATCH_ALL_H
#define MB_PLATFORM_CATCH_ALL_H

#include <stdbool.h>
#include <stddef.h>

typedef void *mb_catchable(size_t first, size_t second);

// Whether that is possible: a C++ runtime and an unwinder are linked to us (always in a static C++ program), and the
// processor is x86-64 or aarch64.
bool mb_can_catch_all(void);

// Returns what `function` returns, or NULL after it has thrown. Only where mb_can_catch_all.
void *mb_call_caught(mb_catchable *function, size_t first, size_t second);

#endif
