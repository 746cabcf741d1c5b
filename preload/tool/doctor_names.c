// The part of mbmalloc doctor that finds out which object provides each name of malloc's family, and whether allocators
// are mixed: a block of one allocator that is passed to the free of another ends the program, or damages a heap and
// shows later.
//
// What: looks each name up in the dynamic symbol tables of the process's objects, in the order in which the loader
// searches them: the program, preloaded libraries, their dependencies (breadth first), then objects that were loaded
// later.
#include <string.h>

#include "preload/tool/doctor.h"

typedef const struct doctor_object object;

struct search {
    const struct doctor_process *process;
    object *in_turn[DOCTOR_OBJECTS];
    size_t count;
    object *provider[TOOL_NAMES]; // NULL: no object defines it
};

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool is_libc(object *o) { return strncmp(base_name(o->path), "libc.", 5) == 0 || strncmp(base_name(o->path), "libc-", 5) == 0; }
static bool is_loader(object *o) { return strncmp(base_name(o->path), "ld-", 3) == 0; }
static bool is_ours(const struct doctor_process *p, object *o) {
    (void)p;
    return strncmp(base_name(o->path), "libmbmalloc", 11) == 0;
}
// The runtime's operators new and delete call malloc and free by name.
static bool is_cxx_runtime(object *o) {
    return strncmp(base_name(o->path), "libstdc++", 9) == 0 || strncmp(base_name(o->path), "libc++", 6) == 0;
}

static bool is_program(const struct doctor_process *p, object *o) { return strcmp(o->path, p->exe) == 0; }

static object *find(const struct doctor_process *p, bool (*is)(const struct doctor_process *p, object *o)) {
    for (size_t i = 0; i < p->count; i++) {
        if (is(p, &p->objects[i])) return &p->objects[i];
    }
    return NULL;
}

// --- the order of search ---------------------------------------------------------------------------------------------

// The length of a library's name before .so: libc in libc.so.6, libmbmalloc in libmbmalloc.so.1.0.0.
static size_t stem(const char *name) {
    const char *end = strstr(name, ".so");
    return end != NULL ? (size_t)(end - name) : strlen(name);
}

static bool is_named(object *o, const char *name, size_t length) {
    const char *path = base_name(o->path);
    return strcmp(o->elf.soname, name) == 0 || (stem(path) == length && strncmp(path, name, length) == 0);
}

static bool is_in(const struct search *s, object *o) {
    for (size_t i = 0; i < s->count; i++) {
        if (s->in_turn[i] == o) return true;
    }
    return false;
}

static void append(struct search *s, object *o) {
    if (o != NULL && !is_in(s, o)) s->in_turn[s->count++] = o;
}

static void append_named(void *search, const char *path) {
    struct search *s = search;
    const char *name = base_name(path);
    for (size_t i = 0; i < s->process->count; i++) {
        if (is_named(&s->process->objects[i], name, stem(name))) append(s, &s->process->objects[i]);
    }
}

static void append_list(struct search *s, const char *list) {
    char name[PATH_MAX];
    while (list != NULL && *(list += strspn(list, ": \t\n")) != '\0') {
        size_t length = strcspn(list, ": \t\n");
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        append_named(s, name);
        list += length;
    }
}

static void find_linked(struct search *s, object *preloaded) {
    const struct doctor_process *p = s->process;
    char everywhere[4096];
    s->count = 0;
    append(s, find(p, is_program));
    append(s, preloaded);
    append_list(s, doctor_variable(p, "LD_PRELOAD"));
    if (tool_read("/etc/ld.so.preload", everywhere, sizeof everywhere)) append_list(s, everywhere);
    for (size_t i = 0; i < s->count; i++) tool_elf_needed(s->in_turn[i]->path, append_named, s);
}

// A program that has overwritten its environment (setproctitle does) does not show LD_PRELOAD any more. If our library
// is found in no list, it is therefore taken as preloaded.
static void find_order(struct search *s, object *ours) {
    const struct doctor_process *p = s->process;
    find_linked(s, NULL);
    if (ours != NULL && !is_in(s, ours)) find_linked(s, ours);
    for (size_t i = 0; i < p->count; i++) append(s, &p->objects[i]);
}

static void find_providers(struct search *s) {
    for (unsigned name = 0; name < TOOL_NAMES; name++) {
        for (size_t i = 0; i < s->count && s->provider[name] == NULL; i++) {
            if (tool_elf_defines(&s->in_turn[i]->elf, name) && !is_loader(s->in_turn[i])) s->provider[name] = s->in_turn[i];
        }
    }
}

// --- mixed allocators ------------------------------------------------------------------------------------------------

// reallocarray and cfree may come from the C library without harm: its reallocarray calls realloc by name, and programs
// can no longer be linked with its cfree.
static bool is_odd(const struct search *s, unsigned name) {
    object *provider = s->provider[name];
    bool passes_on = name == TOOL_REALLOCARRAY || name == TOOL_CFREE;
    return provider != NULL && provider != s->provider[TOOL_MALLOC] && !(passes_on && is_libc(provider));
}

static void list_odd(const struct search *s, object *provider, char *out, size_t bytes) {
    size_t length = 0;
    for (unsigned name = 0; name <= TOOL_CFREE && length < bytes; name++) {
        if (s->provider[name] != provider || !is_odd(s, name)) continue;
        length += (size_t)snprintf(out + length, bytes - length, "%s%s", length > 0 ? ", " : "", tool_name_spelt[name]);
    }
}

static bool is_first_of(const struct search *s, unsigned name) {
    for (unsigned before = 0; before < name; before++) {
        if (s->provider[before] == s->provider[name] && is_odd(s, before)) return false;
    }
    return true;
}

// True if one object provides all the C functions.
static bool judge_mixed(const struct search *s) {
    object *main = s->provider[TOOL_MALLOC];
    char names[256];
    bool is_one = true;
    for (unsigned name = 0; name <= TOOL_CFREE && main != NULL; name++) {
        if (!is_odd(s, name) || !is_first_of(s, name)) continue;
        is_one = false;
        list_odd(s, s->provider[name], names, sizeof names);
        doctor_found(
            "Mixed allocators: malloc comes from %s, but from %s: %s. A block of one of them that is passed to the other's free or "
            "realloc ends the program: have one allocator define all of these names, or none.",
            main->path, s->provider[name]->path, names);
    }
    return is_one;
}

static void judge_pair(const struct search *s, enum tool_name make, enum tool_name drop) {
    object *makes = s->provider[make], *drops = s->provider[drop];
    if (makes == NULL || drops == NULL || makes == drops) return;
    doctor_found("%s comes from %s, but %s from %s, which is right only where both end in the same malloc: replace both, or neither.",
                 tool_name_spelt[make], makes->path, tool_name_spelt[drop], drops->path);
}

static bool has_cxx(const struct search *s) {
    for (size_t i = 0; i < s->count; i++) {
        if (!is_ours(s->process, s->in_turn[i]) && tool_elf_defines(&s->in_turn[i]->elf, TOOL_NEW)) return true;
    }
    return false;
}

static void judge_cxx(const struct search *s) {
    object *makes = s->provider[TOOL_NEW];
    bool odd_delete = makes == NULL || s->provider[TOOL_DELETE] != makes;
    if (!odd_delete && has_cxx(s) && makes != s->provider[TOOL_MALLOC])
        doctor_well("operator new and delete come from %s%s.", makes->path, is_cxx_runtime(makes) ? ", and call malloc and free" : "");
    for (unsigned i = TOOL_NEW; i < TOOL_DELETE; i++) judge_pair(s, i, i + (TOOL_DELETE - TOOL_NEW));
}

// --- who serves ------------------------------------------------------------------------------------------------------

// A preloaded library comes before the libraries that the program is linked with.
static bool is_preloaded(const struct doctor_process *p, const char *name) {
    char everywhere[4096];
    const char *here = doctor_variable(p, "LD_PRELOAD");
    if (here != NULL && strstr(here, name) != NULL) return true;
    return tool_read("/etc/ld.so.preload", everywhere, sizeof everywhere) && strstr(everywhere, name) != NULL;
}

static void judge_other(const struct search *s, object *o, object *ours) {
    object *main = s->provider[TOOL_MALLOC];
    if (ours != NULL && main == ours && !is_preloaded(s->process, base_name(o->path)))
        doctor_well(
            "%s, which the program is linked with, defines malloc, too: libmbmalloc comes first and serves. What the program asks of "
            "that allocator by its own names (statistics, settings) is about an empty heap.",
            o->path);
    else if (ours != NULL)
        doctor_found("%s defines malloc, too: two allocators are loaded; whichever comes first serves. Preload one of them only.", o->path);
    else if (o == main)
        doctor_found("malloc comes from %s.", o->path);
}

static void judge_others(const struct search *s, object *ours) {
    for (size_t i = 0; i < s->count; i++) {
        object *o = s->in_turn[i];
        bool is_other = !is_libc(o) && !is_loader(o) && !is_ours(s->process, o) && !is_program(s->process, o);
        if (is_other && tool_elf_defines(&o->elf, TOOL_MALLOC)) judge_other(s, o, ours);
    }
}

static void judge_malloc(const struct search *s, object *ours, bool is_one) {
    object *main = s->provider[TOOL_MALLOC];
    bool own = main != NULL && is_program(s->process, main);
    const char *kin = is_one ? "malloc, free and their kin come" : "malloc comes";
    if (own && ours != NULL)
        doctor_found("The program defines malloc itself; libmbmalloc.so is loaded, and serves only what the program passes on.");
    else if (own)
        doctor_well("The program defines malloc%s itself: linked with libmbmalloc.a, or an allocator of its own.",
                    is_one ? ", free and their kin" : "");
    else if (main != NULL && main == ours)
        doctor_well("%s from %s.", kin, ours->path);
    else if (main == NULL || is_libc(main))
        doctor_found("%s from the C library: start the program with LD_PRELOAD=libmbmalloc.so, or by mbmalloc run.", kin);
}

static object *look_up(struct search *s) {
    object *ours = find(s->process, is_ours);
    find_order(s, ours);
    find_providers(s);
    return ours;
}

bool doctor_judge_names(const struct doctor_process *p) {
    struct search s = {.process = p};
    object *ours = look_up(&s);
    bool is_one = judge_mixed(&s);
    judge_malloc(&s, ours, is_one);
    judge_others(&s, ours);
    judge_cxx(&s);
    return ours != NULL;
}

void doctor_judge_mixed(const struct doctor_process *p) {
    struct search s = {.process = p};
    look_up(&s);
    judge_mixed(&s);
    judge_cxx(&s);
}
