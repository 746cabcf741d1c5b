// Names of functions: addr2line(1), asked once for all addresses of a file.
#include "preload/tool/profile.h"

#include <elf.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/tool/tool.h"

extern char **environ;

// What the file's own addresses differ by from its offsets, in the segment that the mapping was made from.
static uint64_t address_of_offset(const char *path, uint64_t offset) {
    Elf64_Ehdr elf;
    Elf64_Phdr header;
    uint64_t shift = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL) return 0;
    if (fread(&elf, sizeof elf, 1, file) != 1 || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0) elf.e_phnum = 0;
    for (unsigned i = 0; i < elf.e_phnum; i++) {
        bool read = fseek(file, (long)(elf.e_phoff + i * sizeof header), SEEK_SET) == 0 && fread(&header, sizeof header, 1, file) == 1;
        bool within = read && header.p_type == PT_LOAD && offset + 4096 > header.p_offset && offset < header.p_offset + header.p_filesz;
        if (within && (header.p_flags & PF_X) != 0) shift = header.p_vaddr - header.p_offset;
    }
    fclose(file);
    return shift;
}

static void name_by_place(const struct tool_profile *p, const struct tool_mapping *mapping, struct tool_location *location) {
    const char *file = mapping != NULL ? tool_profile_string(p, mapping->file) : "[no file]", *slash = strrchr(file, '/');
    uint64_t place = mapping != NULL ? location->address - mapping->start + mapping->offset : location->address;
    char *name = NULL;
    if (asprintf(&name, "%s+0x%llx", slash != NULL ? slash + 1 : file, (unsigned long long)place) >= 0) location->name = name;
}

// addr2line reads from one file and writes to another.
static bool ask(const char *file, FILE *questions, FILE *answers) {
    pid_t child;
    int status = 1;
    posix_spawn_file_actions_t actions;
    char *const arguments[] = {(char *)(uintptr_t) "addr2line", (char *)(uintptr_t) "-f", (char *)(uintptr_t) "-C",
                               (char *)(uintptr_t) "-e",        (char *)(uintptr_t)file,  NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(questions), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(answers), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
    bool started = posix_spawnp(&child, "addr2line", &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    return started && waitpid(child, &status, 0) == child && status == 0;
}

static void write_questions(const struct tool_profile *p, const struct tool_mapping *mapping, uint64_t shift, FILE *questions) {
    for (size_t i = 0; i < p->locations; i++) {
        const struct tool_location *l = &p->location[i];
        if (l->mapping == mapping->id) fprintf(questions, "0x%" PRIx64 "\n", l->address - mapping->start + mapping->offset + shift);
    }
    fflush(questions);
    rewind(questions);
}

// Two lines for each: function, place.
static void read_answers(struct tool_profile *p, const struct tool_mapping *mapping, FILE *answers) {
    char *function = NULL, *place = NULL;
    size_t room = 0, more_room = 0;
    rewind(answers);
    for (size_t i = 0; i < p->locations; i++) {
        struct tool_location *l = &p->location[i];
        if (l->mapping != mapping->id) continue;
        if (getline(&function, &room, answers) < 0 || getline(&place, &more_room, answers) < 0) break;
        function[strcspn(function, "\n")] = '\0';
        if (strcmp(function, "??") != 0) l->name = strdup(function);
    }
    free(function);
    free(place);
}

static void name_those_of(struct tool_profile *p, const struct tool_mapping *mapping) {
    const char *file = tool_profile_string(p, mapping->file);
    FILE *questions = tmpfile(), *answers = tmpfile();
    if (questions != NULL && answers != NULL && access(file, R_OK) == 0) {
        write_questions(p, mapping, address_of_offset(file, mapping->offset), questions);
        if (ask(file, questions, answers)) read_answers(p, mapping, answers);
    }
    if (questions != NULL) fclose(questions);
    if (answers != NULL) fclose(answers);
}

static bool has_location(const struct tool_profile *p, const struct tool_mapping *mapping) {
    for (size_t i = 0; i < p->locations; i++) {
        if (p->location[i].mapping == mapping->id) return true;
    }
    return false;
}

void tool_profile_name(struct tool_profile *p) {
    for (size_t m = 0; m < p->mappings; m++) {
        if (has_location(p, &p->mapping[m])) name_those_of(p, &p->mapping[m]);
    }
    for (size_t i = 0; i < p->locations; i++) {
        struct tool_location *l = &p->location[i];
        const struct tool_mapping *mapping = NULL;
        for (size_t m = 0; m < p->mappings; m++) {
            if (p->mapping[m].id == l->mapping) mapping = &p->mapping[m];
        }
        if (l->name == NULL) name_by_place(p, mapping, l);
        if (l->name == NULL) l->name = "?";
    }
}
