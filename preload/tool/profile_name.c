// Names of functions: addr2line(1), run once for all addresses in a file. Without debug information it prints the
// nearest symbol before an address, which in a stripped file belongs to another function. Then the function is named by
// file and the offset where it begins, which the unwind tables tell.
#include "preload/tool/profile.h"

#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/tool/code.h"
#include "preload/tool/tool.h"

extern char **environ;

static void name_by_place(const char *file, uint64_t place, struct tool_location *location) {
    const char *slash = strrchr(file, '/');
    char *name = NULL;
    if (asprintf(&name, "%s+0x%" PRIx64, slash != NULL ? slash + 1 : file, place) >= 0) location->name = name;
}

// A file with code, and the difference between the addresses in it and file offsets (tool_code_shift).
struct source {
    const struct tool_mapping *mapping;
    struct tool_code code;
    uint64_t shift;
};

static uint64_t address_in_file(const struct source *source, const struct tool_location *location) {
    return location->address - source->mapping->start + source->mapping->offset + source->shift;
}

// Runs addr2line with its input and output redirected to files, so that neither side can block on a full pipe.
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

static void write_questions(const struct tool_profile *p, const struct source *source, FILE *questions) {
    for (size_t i = 0; i < p->locations; i++) {
        const struct tool_location *l = &p->location[i];
        if (l->mapping == source->mapping->id) fprintf(questions, "0x%" PRIx64 "\n", address_in_file(source, l));
    }
    fflush(questions);
    rewind(questions);
}

// addr2line prints the address, then two lines for each function there (name, source line), innermost first. If the
// source line is unknown, the name is that of the nearest symbol, which may belong to another function.
static void add_name(const struct source *source, struct tool_location *location, const char *function, const char *place) {
    bool is_known = strcmp(function, "??") != 0;
    if (is_known && strncmp(place, "??", 2) == 0) is_known = tool_code_has_symbol(&source->code, address_in_file(source, location));
    char *name = is_known ? strdup(function) : NULL;
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

static void read_answers(struct tool_profile *p, const struct source *source, FILE *answers) {
    char *line = NULL, *place = NULL;
    size_t room = 0, more_room = 0;
    struct tool_location *location = NULL;
    rewind(answers);
    while (getline(&line, &room, answers) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0x", 2) == 0) {
            location = next_of(p, source->mapping, location);
            if (location == NULL) break;
        } else if (getline(&place, &more_room, answers) >= 0 && location != NULL) {
            add_name(source, location, line, place);
        }
    }
    free(line);
    free(place);
}

static void name_rest(struct tool_profile *p, const struct source *source) {
    const char *file = tool_profile_string(p, source->mapping->file);
    for (struct tool_location *l = NULL; (l = next_of(p, source->mapping, l)) != NULL;) {
        uint64_t address = address_in_file(source, l);
        if (l->name == NULL) name_by_place(file, source->code.at != NULL ? tool_code_function(&source->code, address) : address, l);
    }
}

static void name_those_of(struct tool_profile *p, const struct tool_mapping *mapping) {
    const char *file = tool_profile_string(p, mapping->file);
    struct source source = {.mapping = mapping};
    FILE *questions = tmpfile(), *answers = tmpfile();
    bool is_there = tool_code_open(file, &source.code);
    if (is_there) source.shift = tool_code_shift(&source.code, mapping->offset);
    if (is_there && questions != NULL && answers != NULL) {
        write_questions(p, &source, questions);
        if (ask(file, questions, answers)) read_answers(p, &source, answers);
    }
    name_rest(p, &source);
    if (questions != NULL) fclose(questions);
    if (answers != NULL) fclose(answers);
    tool_code_close(&source.code);
}

static bool has_location(const struct tool_profile *p, const struct tool_mapping *mapping) {
    for (size_t i = 0; i < p->locations; i++) {
        if (p->location[i].mapping == mapping->id) return true;
    }
    return false;
}

// --- calls that were inlined -----------------------------------------------------------------------------------------

// Appends a location for each function that another one was inlined into. Their ids follow those of the profile;
// first[i] is the id of the first one that belongs to location i.
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
        if (l->name == NULL) name_by_place("[no file]", l->address, l);
        if (l->name == NULL) l->name = "?";
    }
    expand(p);
}
