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

// --- /proc ------------------------------------------------------------------------------------------------------------

// The beginning of a file, terminated; false when it cannot be read.
bool tool_read(const char *path, char *out, size_t bytes);
bool tool_read_of(int pid, const char *name, char *out, size_t bytes);
// The file that a link leads to.
bool tool_link_of(int pid, const char *name, char *out, size_t bytes);

// --- the page of a process ----------------------------------------------------------------------------------------------

struct tool_page {
    struct mb_monitor_shared *page;
    int pid, fd;
};

// Says why on standard error when there is none.
bool tool_page_open(struct tool_page *out, int pid);
void tool_page_close(struct tool_page *page);

// Asks and waits at most `seconds`. False, and it is said: no answer.
bool tool_page_ask(const struct tool_page *page, enum mb_monitor_command command, uint64_t argument, unsigned seconds);

// --- text ---------------------------------------------------------------------------------------------------------------

// 12.3 MiB, in one of a few buffers that take turns.
const char *tool_size(uint64_t bytes);
// Escape sequences where standard output is a terminal, else "".
const char *tool_bold(void);
const char *tool_plain(void);

// The library that `run` preloads: MBMALLOC_LIBRARY, or beside this program, or installed.
bool tool_library(char *out, size_t bytes);

// Whether the library can serve a program when it is preloaded; if not, the reason is said. As exit status.
int tool_would_serve(const char *program);

// What is known of an ELF file.
struct tool_elf {
    bool is_elf, is_static, is_64, own_malloc;
    int machine;
    char interpreter[256];
};
bool tool_elf_read(const char *path, struct tool_elf *out);

#endif
