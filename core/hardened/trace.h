// Stacks of calls, each kept once: where blocks were made and freed (profile=debug).
//
// What: return addresses, the innermost first, without those of this library. A stack that was met before is found
// again by its hash. Nothing is ever forgotten, so a pointer to one stays good. Addresses are told with file, offset
// and build-id; `mbmalloc symbols` makes names of them.
// Who: any thread. A stack is complete before it is on a list, and the lists only grow at their heads: a forked child
// finds them in order.
// Idea: the stack depot of the sanitizers' runtimes.
#ifndef MB_CORE_HARDENED_TRACE_H
#define MB_CORE_HARDENED_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

struct mb_trace {
    struct mb_trace *next;  // of the same bucket
    struct mb_trace *older; // of all
    uint64_t blocks, bytes; // scratch of who counts what is live (leaks.c)
    uint32_t hash, depth;
    uintptr_t frames[];
};

enum { MB_TRACE_DEPTH_MAX = 32 };

// From now on stacks are kept, of so many calls at most. False: no memory.
bool mb_trace_init(unsigned depth);
extern MB_HIDDEN unsigned mb_trace_depth; // constant after the start; 0: none are kept
MB_INLINE bool mb_trace_is_on(void) { return mb_trace_depth != 0; }

// The calls that have led here. NULL: none are kept, or there is no memory.
struct mb_trace *mb_trace_capture(void);
MB_INLINE struct mb_trace *mb_trace_here(void) { return MB_UNLIKELY(mb_trace_is_on()) ? mb_trace_capture() : NULL; }

// Every stack: the youngest first.
struct mb_trace *mb_trace_youngest(void);

// One line on standard error for each call. NULL: a line that says so.
void mb_trace_tell(const struct mb_trace *trace);
// The same of calls that are kept otherwise, behind a line `what` with a thread's number.
void mb_trace_tell_calls(const char *what, int thread, const uintptr_t *frames, unsigned depth);

#endif
