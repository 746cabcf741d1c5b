// Totals by function over the samples of one heap profile, or of two that are compared.
#ifndef MB_PRELOAD_TOOL_FUNCTIONS_H
#define MB_PRELOAD_TOOL_FUNCTIONS_H

#include "preload/tool/profile.h"

enum tool_side { TOOL_BEFORE, TOOL_AFTER, TOOL_SIDES };

struct tool_function {
    const char *name;
    int64_t itself[TOOL_SIDES], with_callees[TOOL_SIDES];
};

struct tool_functions {
    struct tool_function *of;
    size_t count;
    uint32_t *by_name; // a hash table; each entry is an index plus 1, 0 is empty
    size_t room;       // entries in the hash table, a power of two
};

// Adds the samples of a profile whose locations have been named. A zeroed struct is empty. Returns the sum of the value
// over all samples.
int64_t tool_functions_add(struct tool_functions *functions, const struct tool_profile *p, int value, enum tool_side side);

#endif
