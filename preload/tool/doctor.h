// What the parts of mbmalloc doctor share: the process that is examined, and how findings are printed.
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
    char *environment; // as it was when the process started (/proc/PID/environ); each entry ends with a 0 byte
    size_t environment_bytes;
};

// doctor_well prints a finding that is as it should be; doctor_found prints and counts one that asks the user to act.
void __attribute__((format(printf, 1, 2))) doctor_well(const char *format, ...);
void __attribute__((format(printf, 1, 2))) doctor_found(const char *format, ...);

// The value of an environment variable of the process; NULL if it is not set.
const char *doctor_variable(const struct doctor_process *p, const char *name);

// Prints which object provides each name of malloc's family. False: libmbmalloc is not loaded.
bool doctor_judge_names(const struct doctor_process *p);
// Prints only the names that come from another provider than the rest.
void doctor_judge_mixed(const struct doctor_process *p);

// `is_loaded`: whether libmbmalloc seems to be loaded in the process.
void doctor_judge_environment(const struct doctor_process *p, bool is_loaded);

#endif
