#include "preload/tool/tool.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/version.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
} COMMANDS[] = {
    {"run", tool_run, "[--profile NAME] [--stats[=FORMAT]] [--heap-profile[=FILE]] [--monitor] [--options TEXT] [--] COMMAND...",
     "run a program under mbmalloc"},
    {"doctor", tool_doctor, "PID | -- COMMAND...", "who serves a process's malloc, and what stands in its way"},
    {"stat", tool_stat, "PID [-i SECONDS] [-n TIMES] [--json]", "where the memory of a running process is"},
    {"trim", tool_trim, "PID", "have a running process give back what is free"},
    {"set", tool_set, "PID KEY=VALUE[,KEY=VALUE]", "change options of a running process"},
    {"map", tool_map, "PID [-o FILE.html]", "a picture of the heap of a running process"},
    {"prof", tool_prof, "PID [--seconds N] [--period BYTES] [-o FILE.pb.gz]", "who allocates in a running process, as a file for pprof"},
    {"top", tool_top, "FILE.pb.gz [--value NAME] [-n LINES] [--folded]", "the functions that hold most in a heap profile"},
    {"flame", tool_flame, "FILE.pb.gz [--value NAME] [-o FILE.svg]", "a heap profile as a flame graph"},
    {"symbols", tool_symbols, "[FILE]", "make names of the addresses in a report of profile=debug"},
    {"diff", tool_diff, "A.json B.json | A.pb.gz B.pb.gz [--value NAME] [-n LINES]",
     "what has changed between two outputs of stat --json, or heap profiles"},
};
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0] };

int tool_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("mbmalloc: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return TOOL_FAILED;
}

int tool_usage(const char *what) {
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(what, COMMANDS[i].name) == 0) fprintf(stderr, "usage: mbmalloc %s %s\n", what, COMMANDS[i].usage);
    }
    return TOOL_USAGE;
}

int tool_pid(const char *text) {
    char *end;
    long pid = strtol(text, &end, 10);
    return *text != '\0' && *end == '\0' && pid > 0 && pid <= 1 << 30 ? (int)pid : 0;
}

static int help(FILE *out, int status) {
    fprintf(out, "usage: mbmalloc COMMAND ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-7s %s\n          %s\n", COMMANDS[i].name, COMMANDS[i].usage, COMMANDS[i].help);
    fprintf(out, "\nstat, trim, set, map and prof ask a process that was started with the option monitor=1 (mbmalloc run --monitor). See "
                 "mbmalloc(1).\n");
    return status;
}

int main(int argc, char **argv) {
    if (argc < 2) return help(stderr, TOOL_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) return help(stdout, TOOL_OK);
    if (strcmp(argv[1], "--version") == 0) {
        printf("mbmalloc %s\n", MBMALLOC_VERSION);
        return TOOL_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) != 0) continue;
        bool asks = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
        if (!asks) return COMMANDS[i].run(argc - 2, argv + 2);
        printf("usage: mbmalloc %s %s\n%s\n", argv[1], COMMANDS[i].usage, COMMANDS[i].help);
        return TOOL_OK;
    }
    tool_fail("there is no command '%s'; mbmalloc --help lists them", argv[1]);
    return TOOL_USAGE;
}
