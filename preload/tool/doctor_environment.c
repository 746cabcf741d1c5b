// The part of mbmalloc doctor that looks at environment variables: options and typos in them, and settings of other
// allocators.
#include <stdio.h>
#include <string.h>

#include "core/told/option_value.h"
#include "preload/tool/doctor.h"

static void judge_option(struct mb_piece name, struct mb_piece value) {
    struct mb_option_values values;
    const struct mb_option_row *row = mb_option_find(name);
    struct mb_line line = {0};
    if (row == NULL) {
        const struct mb_option_row *nearest = mb_option_nearest(name);
        doctor_found("MBMALLOC_OPTIONS has an unknown option '%.*s'%s%s: correct it.", (int)name.length, name.text,
                     nearest != NULL ? "; nearest is " : "", nearest != NULL ? nearest->name : "");
    } else if (!mb_option_parse(row, value, &values)) {
        mb_option_print_range(&line, row);
        doctor_found("MBMALLOC_OPTIONS has a bad value '%.*s' for %s, which takes %.*s.", (int)value.length, value.text, row->name,
                     (int)line.length, line.text);
    } else {
        doctor_well("Option %s=%.*s.", row->name, (int)value.length, value.text);
    }
}

// Looks at each glibc.malloc setting in GLIBC_TUNABLES, except those that the library takes over itself. When glibc
// parses the variable, it overwrites the end of each setting in the string that /proc/PID/environ shows.
static void judge_tunables(const char *text) {
    while (text != NULL && (text = strstr(text, "glibc.malloc.")) != NULL) {
        int name = (int)strcspn(text, "=:");
        bool acts = strncmp(text, "glibc.malloc.perturb=", 21) == 0 || strncmp(text, "glibc.malloc.trim_threshold=", 28) == 0;
        if (acts)
            doctor_well("%.*s in GLIBC_TUNABLES acts as with the C library's malloc: see mbmalloc(3).", name, text);
        else
            doctor_found("%.*s in GLIBC_TUNABLES does nothing under mbmalloc: see mbmalloc-options(7).", name, text);
        text += name;
    }
}

void doctor_judge_environment(const struct doctor_process *p, bool is_loaded) {
    const char *options = doctor_variable(p, "MBMALLOC_OPTIONS");
    while (options != NULL && *options != '\0') {
        struct mb_piece name = mb_piece_take(&options, '=', ',', '='), value = mb_piece_take(&options, ',', ',', ',');
        if (name.length > 0) judge_option(name, value);
    }
    for (const char *at = p->environment; at < p->environment + p->environment_bytes && *at != '\0'; at += strlen(at) + 1) {
        if (strncmp(at, "GLIBC_TUNABLES=", 15) == 0 || strncmp(at, "glibc.", 6) == 0) judge_tunables(at);
        if (strncmp(at, "MALLOC_", 7) != 0) continue;
        if (strncmp(at, "MALLOC_PERTURB_=", 16) == 0 || strncmp(at, "MALLOC_TRIM_THRESHOLD_=", 23) == 0) {
            doctor_well("%s acts as with the C library's malloc: see mbmalloc(3).", at);
            continue;
        }
        doctor_found("%.*s is for another allocator, and does nothing under mbmalloc.", (int)strcspn(at, "="), at);
    }
    const char *preload = doctor_variable(p, "LD_PRELOAD");
    if (preload != NULL && strstr(preload, "libmbmalloc") != NULL && !is_loaded) {
        doctor_found("LD_PRELOAD names libmbmalloc, which is not loaded: a wrong path, another architecture, a static or setuid program.");
    }
}
