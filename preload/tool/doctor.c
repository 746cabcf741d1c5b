// mbmalloc doctor: which allocator serves a process, which options are in force, and which limits of the system stand
// in the way. It prints one sentence for each finding, with what to do.
#include "preload/tool/doctor.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAPS_BYTES = 4 << 20, ENVIRONMENT_BYTES = 1 << 20 };

static int findings; // the number of findings that ask the user to do something

static void say(const char *mark, const char *format, va_list arguments) {
    printf("%s", mark);
    vprintf(format, arguments);
    printf("\n");
}

void doctor_well(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("  ok  ", format, arguments);
    va_end(arguments);
}

void doctor_found(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say("  !!  ", format, arguments);
    va_end(arguments);
    findings++;
}

// --- objects ---------------------------------------------------------------------------------------------------------

static bool is_known(const struct doctor_process *p, const char *path) {
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->objects[i].path, path) == 0) return true;
    }
    return false;
}

static void note_object(struct doctor_process *p, const char *path) {
    if (path[0] != '/' || is_known(p, path) || p->count == DOCTOR_OBJECTS) return;
    struct doctor_object *object = &p->objects[p->count];
    snprintf(object->path, sizeof object->path, "%s", path);
    if (tool_elf_read(path, &object->elf) && object->elf.is_elf) p->count++;
}

// Reads /proc/PID/maps and lists every file that has an executable mapping.
static bool read_objects(struct doctor_process *p) {
    char *maps = malloc(MAPS_BYTES), path[PATH_MAX], access[8];
    p->objects = calloc(DOCTOR_OBJECTS, sizeof *p->objects);
    bool readable = maps != NULL && p->objects != NULL && tool_read_of(p->pid, "maps", maps, MAPS_BYTES) && maps[0] != '\0';
    for (char *line = readable ? maps : NULL; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL) *end = '\0';
        path[0] = '\0';
        if (sscanf(line, "%*s %7s %*s %*s %*s %4095[^\n]", access, path) == 2 && access[2] == 'x') note_object(p, path);
        line = end != NULL ? end + 1 : NULL;
    }
    free(maps);
    return readable;
}

const char *doctor_variable(const struct doctor_process *p, const char *name) {
    size_t length = strlen(name);
    for (const char *at = p->environment; at < p->environment + p->environment_bytes && *at != '\0'; at += strlen(at) + 1) {
        if (strncmp(at, name, length) == 0 && at[length] == '=') return at + length + 1;
    }
    return NULL;
}

// --- the system ------------------------------------------------------------------------------------------------------

static void judge_limit(const char *limits, const char *name, const char *what) {
    const char *line = strstr(limits, name);
    char soft[32];
    if (line == NULL || sscanf(line + strlen(name), " %31s", soft) != 1 || strcmp(soft, "unlimited") == 0) return;
    doctor_found("%s is limited to %s: %s", name, tool_size(strtoull(soft, NULL, 10)), what);
}

static void judge_limits(const struct doctor_process *p) {
    char limits[8192], number[64];
    if (!tool_read_of(p->pid, "limits", limits, sizeof limits)) return;
    judge_limit(limits, "Max address space",
                "it counts reserved addresses, too; raise it (ulimit -v) or limit memory by limit= or a control group.");
    judge_limit(limits, "Max data size", "it counts all private memory; limit memory by limit= or a control group instead.");
    if (!tool_read("/proc/sys/vm/max_map_count", number, sizeof number)) return;
    if (strtoul(number, NULL, 10) < 65530)
        doctor_found("vm.max_map_count is %lu, less than usual: programs with many large blocks may be refused memory.",
                     strtoul(number, NULL, 10));
}

static void judge_kernel(void) {
    char text[128];
    if (tool_read("/proc/sys/vm/overcommit_memory", text, sizeof text) && text[0] == '2') {
        doctor_found(
            "vm.overcommit_memory is 2: memory that is committed counts, touched or not; purge_delay_ms and limit= do not change that.");
    }
    if (!tool_read("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text)) return;
    if (strstr(text, "[always]") != NULL)
        doctor_found("Transparent huge pages are set to always: small heaps may hold up to 2 MiB more for each touched part; with madvise "
                     "the library asks for them where they pay.");
    else
        doctor_well("Transparent huge pages: %.*s.", (int)strcspn(text, "\n"), text);
}

static void judge_cgroup(const struct doctor_process *p) {
    static const char *const forms[][2] = {{"::", "/sys/fs/cgroup%.*s/memory.max"},
                                           {":memory:", "/sys/fs/cgroup/memory%.*s/memory.limit_in_bytes"}};
    char text[4096], path[1024], limit[64];
    if (!tool_read_of(p->pid, "cgroup", text, sizeof text)) return;
    for (size_t i = 0; i < 2; i++) {
        const char *at = strstr(text, forms[i][0]);
        if (at == NULL) continue;
        at += strlen(forms[i][0]);
        snprintf(path, sizeof path, forms[i][1], (int)strcspn(at, "\n"), at);
        if (!tool_read(path, limit, sizeof limit) || limit[0] < '0' || limit[0] > '9' || strlen(limit) > 18) continue;
        doctor_well("The control group limits memory to %s; limit=90%% makes malloc fail before the kernel kills the process.",
                    tool_size(strtoull(limit, NULL, 10)));
    }
}

// --- all -------------------------------------------------------------------------------------------------------------

static int end(void) {
    if (findings == 0) return TOOL_OK;
    printf("%d finding%s\n", findings, findings == 1 ? "" : "s");
    return TOOL_FAILED;
}

static void judge_system(const struct doctor_process *p, bool is_loaded) {
    doctor_judge_environment(p, is_loaded);
    judge_limits(p);
    judge_cgroup(p);
    judge_kernel();
}

static bool read_environment(struct doctor_process *p) {
    char path[64];
    p->environment = calloc(1, ENVIRONMENT_BYTES);
    if (p->environment == NULL) return false;
    snprintf(path, sizeof path, "/proc/%d/environ", p->pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    p->environment_bytes = fread(p->environment, 1, ENVIRONMENT_BYTES - 1, file);
    fclose(file);
    return true;
}

static int examine(int pid) {
    struct doctor_process p = {.pid = pid};
    if (!tool_link_of(pid, "exe", p.exe, sizeof p.exe)) return tool_fail("process %d does not exist, or belongs to somebody else", pid);
    if (!read_objects(&p) || !read_environment(&p)) return tool_fail("process %d belongs to somebody else", pid);
    printf("process %d, %s\n", pid, p.exe);
    struct tool_elf program;
    bool is_static = tool_elf_read(p.exe, &program) && program.is_static;
    if (is_static)
        doctor_found(
            "The program is linked statically: nothing can be preloaded; whether libmbmalloc.a is in it cannot be seen from outside "
            "(verbose=1 tells).");
    judge_system(&p, !is_static && doctor_judge_names(&p));
    free(p.objects), free(p.environment);
    return end();
}

// Notes the objects that the program would have when it starts: the program itself, then the library that would be
// preloaded. If the program defines a malloc of its own, so that the library could not serve it, the objects of this
// command stand in for the C library that the program would load.
static void judge_names_before(struct doctor_process *p, const char *program) {
    struct tool_elf elf;
    char path[PATH_MAX], library[PATH_MAX];
    if (!tool_find_program(program, path, sizeof path) || realpath(path, p->exe) == NULL || !tool_elf_read(p->exe, &elf)) return;
    if (elf.defines == 0 || elf.is_static || !tool_library(path, sizeof path) || realpath(path, library) == NULL) return;
    bool own = tool_elf_defines(&elf, TOOL_MALLOC);
    if (!read_objects(p)) return;
    if (!own) p->count = 0;
    note_object(p, p->exe);
    if (!own) note_object(p, library);
    doctor_judge_mixed(p);
}

static int run_checked(char **argv) {
    printf("before the start of %s\n", argv[0]);
    fflush(stdout);
    struct doctor_process p = {.pid = getpid()};
    if (read_environment(&p)) {
        judge_names_before(&p, argv[0]);
        judge_system(&p, true);
    }
    int status = end();
    fflush(stdout);
    int refused = tool_would_serve(argv[0]);
    if (refused == TOOL_OK) doctor_well("mbmalloc can serve %s: mbmalloc run -- %s ...", argv[0], argv[0]);
    free(p.objects), free(p.environment);
    return refused != TOOL_OK ? refused : status;
}

int tool_doctor(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[0], "--") == 0) return run_checked(argv + 1);
    if (argc != 1 || tool_pid(argv[0]) == 0) return tool_usage("doctor");
    return examine(tool_pid(argv[0]));
}
