// What the parts of mbmalloc doctor share: the process that is looked at, and how findings are told.
#ifndef MB_PRELOAD_TOOL_DOCTOR_H
#define MB_PRELOAD_TOOL_DOCTOR_H

#include <limits.h>

#include "preload/tool/tool.h"

struct doctor_object {
    char path[PATH_MAX];
    struct tool_elf elf;
};

enum { DOCTOR_OBJECTS = 256 };

struct doctor_process {
    int pid;
    char exe[PATH_MAX];
    struct doctor_object *objects;
    size_t count;
    char *environment; // as at its start (/proc/PID/environ); entries end with 0
    size_t environment_bytes;
};

// A sentence that tells what is as it should be / that asks for something to be done, and counts.
void __attribute__((format(printf, 1, 2))) doctor_well(const char *format, ...);
void __attribute__((format(printf, 1, 2))) doctor_found(const char *format, ...);

// A variable of the process's environment; NULL: it has none of that name.
const char *doctor_variable(const struct doctor_process *p, const char *name);

// Who provides each name of malloc's family. False: libmbmalloc is not loaded.
bool doctor_judge_names(const struct doctor_process *p);
// Tells only where the names are not one provider's.
void doctor_judge_mixed(const struct doctor_process *p);

// is_loaded: the library is, as far as can be told.
void doctor_judge_environment(const struct doctor_process *p, bool is_loaded);

#endif
