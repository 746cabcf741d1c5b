// What the functions of one heap profile, or of two, hold.
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
    uint32_t *by_name; // a table of indices plus 1
    size_t room;       // of the table, a power of two
};

// Adds a named profile's samples to the functions, which begin as zeros. The sum of the value.
int64_t tool_functions_add(struct tool_functions *functions, const struct tool_profile *p, int value, enum tool_side side);

#endif
