// mbmalloc run: starts a program with the library preloaded. If that would have no effect (a static or setuid program),
// it prints the reason and does not start the program.
#include "preload/tool/tool.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Finds the file that execvp would execute.
static bool find_program(const char *name, char *out, size_t bytes) {
    if (strchr(name, '/') != NULL) {
        snprintf(out, bytes, "%s", name);
        return access(out, X_OK) == 0;
    }
    const char *path = getenv("PATH");
    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; *at != '\0';) {
        size_t length = strcspn(at, ":");
        snprintf(out, bytes, "%.*s/%s", (int)length, length > 0 ? at : ".", name);
        struct stat status;
        if (access(out, X_OK) == 0 && stat(out, &status) == 0 && S_ISREG(status.st_mode)) return true;
        at += length + (at[length] == ':');
    }
    return false;
}

// For a script: replaces the path by that of its interpreter, since the library is loaded into the interpreter.
static void follow_script(char *path, size_t bytes) {
    char line[256], interpreter[256];
    for (int depth = 0; depth < 4; depth++) {
        if (!tool_read(path, line, sizeof line) || strncmp(line, "#!", 2) != 0) return;
        if (sscanf(line + 2, " %255s", interpreter) != 1) return;
        snprintf(path, bytes, "%s", interpreter);
    }
}

static int refuse(const char *path, const char *why) { return tool_fail("%s: %s", path, why); }

// Returns TOOL_OK, or prints why the library cannot serve the program.
static int check(const char *path, const char *library) {
    struct stat status;
    struct tool_elf program, own;
    if (stat(path, &status) != 0) return refuse(path, strerror(errno));
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != geteuid()) return refuse(path, "it is setuid: the loader ignores LD_PRELOAD");
    if ((status.st_mode & S_ISGID) != 0 && status.st_gid != getegid()) return refuse(path, "it is setgid: the loader ignores LD_PRELOAD");
    if (!tool_elf_read(path, &program)) return TOOL_OK; // it may be executable but not readable
    if (!tool_elf_read(library, &own) || !own.is_elf) return refuse(library, "it is no library that can be read");
    if (!program.is_elf) return refuse(path, "it is neither a program nor a script");
    if (!program.is_64 || program.machine != own.machine) return refuse(path, "it is for another architecture than the library");
    if (program.is_static) return refuse(path, "it is linked statically: nothing can be preloaded into it; link it with libmbmalloc.a");
    if (tool_elf_defines(&program, TOOL_MALLOC)) return refuse(path, "it defines malloc itself: a preloaded one is not called");
    return TOOL_OK;
}

bool tool_find_program(const char *name, char *out, size_t bytes) {
    if (!find_program(name, out, bytes)) return false;
    follow_script(out, bytes);
    return true;
}

int tool_would_serve(const char *program) {
    char path[PATH_MAX], library[PATH_MAX];
    if (!tool_library(library, sizeof library)) return tool_fail("libmbmalloc.so was not found: set MBMALLOC_LIBRARY to its path");
    if (!tool_find_program(program, path, sizeof path)) return tool_fail("%s: there is no such program", program);
    return check(path, library);
}

struct settings {
    char options[2048];
};

static void add(struct settings *s, const char *text, const char *value) {
    size_t length = strlen(s->options);
    snprintf(s->options + length, sizeof s->options - length, "%s%s%s", length > 0 ? "," : "", text, value);
}

enum { FILE_MAX = 240 }; // the longest value of a text option, minus what %p may expand to

// Makes the path absolute: the program may change its directory before it ends (git -C, daemons), but the file belongs
// where the command was given.
static void add_profile(struct settings *s, const char *file) {
    char here[PATH_MAX], path[2 * PATH_MAX];
    add(s, "heap_profile=512K", "");
    bool from_here = file[0] != '/' && getcwd(here, sizeof here) != NULL && strchr(here, ',') == NULL && strchr(here, '%') == NULL;
    snprintf(path, sizeof path, "%s%s%s", from_here ? here : "", from_here ? "/" : "", file);
    add(s, "heap_profile_file=", strlen(path) <= FILE_MAX ? path : file);
}

// Parses the options before the command. Returns the number of arguments they take; -1 for a wrong option.
static int read_settings(int argc, char **argv, struct settings *s) {
    const char *inherited = getenv("MBMALLOC_OPTIONS");
    if (inherited != NULL) add(s, inherited, "");
    int i = 0;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--") == 0) return i + 1;
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--profile") == 0 && more)
            add(s, "profile=", argv[++i]);
        else if (strcmp(argv[i], "--options") == 0 && more)
            add(s, argv[++i], "");
        else if (strcmp(argv[i], "--monitor") == 0)
            add(s, "monitor=1", "");
        else if (strcmp(argv[i], "--heap-profile") == 0)
            add_profile(s, "heap.%p.pb.gz");
        else if (strncmp(argv[i], "--heap-profile=", 15) == 0 && strchr(argv[i], ',') == NULL)
            add_profile(s, argv[i] + 15);
        else if (strcmp(argv[i], "--stats") == 0)
            add(s, "stats=exit", "");
        else if (strncmp(argv[i], "--stats=", 8) == 0)
            add(s, "stats=exit,stats_format=", argv[i] + 8);
        else
            return -1;
    }
    return i;
}

static void preload(const char *library) {
    const char *before = getenv("LD_PRELOAD");
    char value[PATH_MAX + 4096];
    snprintf(value, sizeof value, "%s%s%s", library, before != NULL && *before != '\0' ? ":" : "", before != NULL ? before : "");
    setenv("LD_PRELOAD", value, 1);
}

int tool_run(int argc, char **argv) {
    struct settings settings = {""};
    char path[PATH_MAX], file[PATH_MAX], library[PATH_MAX];
    int used = read_settings(argc, argv, &settings);
    if (used < 0 || used >= argc) return tool_usage("run");
    if (!tool_library(library, sizeof library)) return tool_fail("libmbmalloc.so was not found: set MBMALLOC_LIBRARY to its path");
    if (strpbrk(library, ": ") != NULL)
        return tool_fail("the loader cannot preload a file with a colon or a space in its path: %s", library);
    if (!find_program(argv[used], path, sizeof path)) return tool_fail("%s: there is no such program", argv[used]);
    snprintf(file, sizeof file, "%s", path);
    follow_script(file, sizeof file);
    int status = check(file, library);
    if (status != TOOL_OK) return status;
    preload(library);
    if (settings.options[0] != '\0') setenv("MBMALLOC_OPTIONS", settings.options, 1);
    execv(path, argv + used);
    return tool_fail("%s: %s", path, strerror(errno));
}
