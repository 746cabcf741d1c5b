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
    char *const arguments[] = {
        (char *)(uintptr_t) "addr2line", (char *)(uintptr_t) "-a", (char *)(uintptr_t) "-i", (char *)(uintptr_t) "-f",
        (char *)(uintptr_t) "-C",        (char *)(uintptr_t) "-e", (char *)(uintptr_t)file,  NULL};
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

// The address, then two lines for each function there, the innermost first: function, place.
static void add_name(struct tool_location *location, const char *function) {
    char *name = strcmp(function, "??") != 0 ? strdup(function) : NULL;
    if (name == NULL) return;
    if (location->name == NULL) {
        location->name = name;
        return;
    }
    const char **outer = realloc(location->outer, (location->outers + 1) * sizeof *outer);
    if (outer == NULL) exit(tool_fail("no memory"));
    outer[location->outers++] = name;
    location->outer = outer;
}

static struct tool_location *next_of(struct tool_profile *p, const struct tool_mapping *mapping, struct tool_location *at) {
    struct tool_location *end = p->location + p->locations;
    for (at = at == NULL ? p->location : at + 1; at < end; at++) {
        if (at->mapping == mapping->id) return at;
    }
    return NULL;
}

static void read_answers(struct tool_profile *p, const struct tool_mapping *mapping, FILE *answers) {
    char *line = NULL, *place = NULL;
    size_t room = 0, more_room = 0;
    struct tool_location *location = NULL;
    rewind(answers);
    while (getline(&line, &room, answers) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0x", 2) == 0) {
            location = next_of(p, mapping, location);
            if (location == NULL) break;
        } else if (getline(&place, &more_room, answers) >= 0 && location != NULL) {
            add_name(location, line);
        }
    }
    free(line);
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

// --- calls that were inlined --------------------------------------------------------------------------------------------

// Appends a location for each function that another one was put into; their ids follow those of the profile. Where those of location i begin: first[i].
static void make_outer_locations(struct tool_profile *p, uint64_t *first) {
    size_t count = p->locations, all = count;
    uint64_t id = count > 0 ? p->location[count - 1].id + 1 : 1;
    for (size_t i = 0; i < count; i++) all += p->location[i].outers;
    p->location = realloc(p->location, (all + 1) * sizeof *p->location);
    if (p->location == NULL) exit(tool_fail("no memory"));
    for (size_t i = 0; i < count; i++) {
        first[i] = id;
        for (size_t k = 0; k < p->location[i].outers; k++, id++) {
            p->location[p->locations++] =
                (struct tool_location){.id = id, .mapping = p->location[i].mapping, .name = p->location[i].outer[k]};
        }
    }
}

static void lead_through(struct tool_profile *p, struct tool_sample *sample, const uint64_t *first) {
    size_t all = 0, n = 0;
    for (size_t i = 0; i < sample->locations; i++) {
        const struct tool_location *l = tool_profile_location(p, sample->location[i]);
        all += 1 + (l != NULL ? l->outers : 0);
    }
    uint64_t *ids = calloc(all + 1, sizeof *ids);
    if (ids == NULL) exit(tool_fail("no memory"));
    for (size_t i = 0; i < sample->locations; i++) {
        const struct tool_location *l = tool_profile_location(p, sample->location[i]);
        ids[n++] = sample->location[i];
        for (size_t k = 0; l != NULL && k < l->outers; k++) ids[n++] = first[l - p->location] + k;
    }
    free(sample->location);
    sample->location = ids;
    sample->locations = n;
}

static void expand(struct tool_profile *p) {
    uint64_t *first = calloc(p->locations + 1, sizeof *first);
    if (first == NULL) exit(tool_fail("no memory"));
    make_outer_locations(p, first);
    for (size_t s = 0; s < p->samples; s++) lead_through(p, &p->sample[s], first);
    free(first);
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
    expand(p);
}
