// A call that ends C++ exceptions: what C cannot say.
// Who: any thread.
#ifndef MB_PLATFORM_CATCH_ALL_H
#define MB_PLATFORM_CATCH_ALL_H

#include <stdbool.h>
#include <stddef.h>

typedef void *mb_catchable(size_t first, size_t second);

// Whether the program has a C++ runtime and an unwinder that are bound to us (always in a static C++ program), on a processor
// that we know.
bool mb_can_catch_all(void);

// What `function` returns, or NULL when it has thrown; the exception is over then. Only where mb_can_catch_all.
void *mb_call_caught(mb_catchable *function, size_t first, size_t second);

#endif
