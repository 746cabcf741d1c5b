// What the parts of the `mbmalloc` command share. The command is a separate program and uses the C library's malloc.
#ifndef MB_PRELOAD_TOOL_H
#define MB_PRELOAD_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/told/monitor_page.h"

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

// The subcommands. Each is given the arguments after its name and returns the exit status.
int tool_run(int argc, char **argv);
int tool_doctor(int argc, char **argv);
int tool_stat(int argc, char **argv);
int tool_trim(int argc, char **argv);
int tool_set(int argc, char **argv);
int tool_map(int argc, char **argv);
int tool_diff(int argc, char **argv);
int tool_profile_diff(int argc, char **argv);
int tool_symbols(int argc, char **argv);
int tool_prof(int argc, char **argv);
int tool_top(int argc, char **argv);
int tool_flame(int argc, char **argv);

// Print "mbmalloc: ..." to standard error and return TOOL_FAILED or TOOL_USAGE.
int tool_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int tool_usage(const char *what);

// Parses a process id; 0 if the text is not one.
int tool_pid(const char *text);

// --- /proc -----------------------------------------------------------------------------------------------------------

// Reads the beginning of a file as a string; false if the file cannot be read.
bool tool_read(const char *path, char *out, size_t bytes);
bool tool_read_of(int pid, const char *name, char *out, size_t bytes);
// Reads the target of a symbolic link in /proc/PID.
bool tool_link_of(int pid, const char *name, char *out, size_t bytes);

// --- the monitor page of a process -----------------------------------------------------------------------------------

struct tool_page {
    struct mb_monitor_shared *page;
    int pid, fd;
};

// False, with a message that says why: the process has no monitor page that can be used.
bool tool_page_open(struct tool_page *out, int pid);
void tool_page_close(struct tool_page *page);

// Sends a request and waits for the answer, at most `seconds`. False, with a message: there was no answer.
bool tool_page_ask(const struct tool_page *page, enum mb_monitor_command command, uint64_t argument, unsigned seconds);

// --- text ------------------------------------------------------------------------------------------------------------

// Formats a size, such as 12.3 MiB, in one of a few static buffers that are used in turn.
const char *tool_size(uint64_t bytes);
// The terminal's escape sequences if standard output is a terminal, else "".
const char *tool_bold(void);
const char *tool_plain(void);

// Finds the library that `run` preloads: MBMALLOC_LIBRARY, else next to this program, else where it is installed.
bool tool_library(char *out, size_t bytes);

// Whether a preloaded library can serve the program, as an exit status; if it cannot, the reason is printed.
int tool_would_serve(const char *program);

// Finds the file that a command would execute: the program, or the interpreter of a script. False: there is none.
bool tool_find_program(const char *name, char *out, size_t bytes);

// --- ELF files -------------------------------------------------------------------------------------------------------

// X(identifier, symbol, name in messages): the names of malloc's family. One allocator must define all of them or none.
#define TOOL_NAME_TABLE(X)                                                                                                                 \
    X(MALLOC, "malloc", "malloc")                                                                                                          \
    X(FREE, "free", "free")                                                                                                                \
    X(CALLOC, "calloc", "calloc")                                                                                                          \
    X(REALLOC, "realloc", "realloc")                                                                                                       \
    X(MEMALIGN, "memalign", "memalign")                                                                                                    \
    X(POSIX_MEMALIGN, "posix_memalign", "posix_memalign")                                                                                  \
    X(ALIGNED_ALLOC, "aligned_alloc", "aligned_alloc")                                                                                     \
    X(VALLOC, "valloc", "valloc")                                                                                                          \
    X(PVALLOC, "pvalloc", "pvalloc")                                                                                                       \
    X(USABLE_SIZE, "malloc_usable_size", "malloc_usable_size")                                                                             \
    X(REALLOCARRAY, "reallocarray", "reallocarray")                                                                                        \
    X(CFREE, "cfree", "cfree")                                                                                                             \
    X(NEW, "_Znwm", "operator new")                                                                                                        \
    X(NEW_ARRAY, "_Znam", "operator new[]")                                                                                                \
    X(NEW_ALIGNED, "_ZnwmSt11align_val_t", "aligned operator new")                                                                         \
    X(NEW_ARRAY_ALIGNED, "_ZnamSt11align_val_t", "aligned operator new[]")                                                                 \
    X(DELETE, "_ZdlPv", "operator delete")                                                                                                 \
    X(DELETE_ARRAY, "_ZdaPv", "operator delete[]")                                                                                         \
    X(DELETE_ALIGNED, "_ZdlPvSt11align_val_t", "aligned operator delete")                                                                  \
    X(DELETE_ARRAY_ALIGNED, "_ZdaPvSt11align_val_t", "aligned operator delete[]")

enum tool_name {
#define TOOL_NAME_ID(id, symbol, spelt) TOOL_##id,
    TOOL_NAME_TABLE(TOOL_NAME_ID)
#undef TOOL_NAME_ID
        TOOL_NAMES
};
extern const char *const tool_name_symbol[TOOL_NAMES], *const tool_name_spelt[TOOL_NAMES];

// What is read from an ELF file.
struct tool_elf {
    bool is_elf, is_static, is_64;
    int machine;
    uint32_t defines; // bit i: its dynamic symbol table defines name i
    char interpreter[256], soname[128];
};
bool tool_elf_read(const char *path, struct tool_elf *out);
static inline bool tool_elf_defines(const struct tool_elf *elf, enum tool_name name) { return (elf->defines >> name & 1) != 0; }

// Calls `visit` for each library that the file is linked with, by its name in the file (libc.so.6).
void tool_elf_needed(const char *path, void (*visit)(void *context, const char *name), void *context);

#endif
