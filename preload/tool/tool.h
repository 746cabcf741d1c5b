// The `mbmalloc` command: what its parts share. A program of its own, with the C library's malloc.
#ifndef MB_PRELOAD_TOOL_H
#define MB_PRELOAD_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/told/monitor_page.h"

enum { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

// Each is given the arguments behind its name and returns the exit status.
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

// "mbmalloc: ..." on standard error; returns TOOL_FAILED / TOOL_USAGE.
int tool_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int tool_usage(const char *what);

// A process id, or 0.
int tool_pid(const char *text);

// --- /proc -----------------------------------------------------------------------------------------------------------

// The beginning of a file, terminated; false when it cannot be read.
bool tool_read(const char *path, char *out, size_t bytes);
bool tool_read_of(int pid, const char *name, char *out, size_t bytes);
// The file that a link leads to.
bool tool_link_of(int pid, const char *name, char *out, size_t bytes);

// --- the page of a process -------------------------------------------------------------------------------------------

struct tool_page {
    struct mb_monitor_shared *page;
    int pid, fd;
};

// Says why on standard error when there is none.
bool tool_page_open(struct tool_page *out, int pid);
void tool_page_close(struct tool_page *page);

// Asks and waits at most `seconds`. False, and it is said: no answer.
bool tool_page_ask(const struct tool_page *page, enum mb_monitor_command command, uint64_t argument, unsigned seconds);

// --- text ------------------------------------------------------------------------------------------------------------

// 12.3 MiB, in one of a few buffers that take turns.
const char *tool_size(uint64_t bytes);
// Escape sequences where standard output is a terminal, else "".
const char *tool_bold(void);
const char *tool_plain(void);

// The library that `run` preloads: MBMALLOC_LIBRARY, or beside this program, or installed.
bool tool_library(char *out, size_t bytes);

// Whether the library can serve a program when it is preloaded; if not, the reason is said. As exit status.
int tool_would_serve(const char *program);

// The program that a command would start, or the interpreter of a script; false: there is none.
bool tool_find_program(const char *name, char *out, size_t bytes);

// --- ELF files -------------------------------------------------------------------------------------------------------

// X(identifier, symbol, as it is spelt): the names that one allocator must define all of, or none.
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

// What is known of an ELF file.
struct tool_elf {
    bool is_elf, is_static, is_64;
    int machine;
    uint32_t defines; // bit i: its dynamic symbol table defines name i
    char interpreter[256], soname[128];
};
bool tool_elf_read(const char *path, struct tool_elf *out);
static inline bool tool_elf_defines(const struct tool_elf *elf, enum tool_name name) { return (elf->defines >> name & 1) != 0; }

// Calls the visitor for each file that it is linked with, by its name there (libc.so.6).
void tool_elf_needed(const char *path, void (*visit)(void *context, const char *name), void *context);

#endif
