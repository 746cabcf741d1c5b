// mbmalloc top: the functions that hold most in a heap profile, or its stacks in the folded form that flame graphs are drawn from.
#include "preload/tool/tool.h"

#include <stdlib.h>
#include <string.h>

#include "preload/tool/profile.h"

enum { USUAL_LINES = 20 };

struct settings {
    const char *file, *value;
    long lines;
    bool folded;
};

static bool read_settings(int argc, char **argv, struct settings *s) {
    *s = (struct settings){.value = "inuse_space", .lines = USUAL_LINES};
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--value") == 0 && more)
            s->value = argv[++i];
        else if (strcmp(argv[i], "-n") == 0 && more)
            s->lines = atol(argv[++i]);
        else if (strcmp(argv[i], "--folded") == 0)
            s->folded = true;
        else if (s->file == NULL && argv[i][0] != '-')
            s->file = argv[i];
        else
            return false;
    }
    return s->file != NULL && s->lines > 0;
}

static int find_value(const struct tool_profile *p, const char *name) {
    for (size_t v = 0; v < p->values; v++) {
        if (strcmp(tool_profile_string(p, p->value_name[v]), name) == 0) return (int)v;
    }
    fprintf(stderr, "mbmalloc: there is no value '%s' in it; there are", name);
    for (size_t v = 0; v < p->values; v++) fprintf(stderr, " %s", tool_profile_string(p, p->value_name[v]));
    fputc('\n', stderr);
    return -1;
}

// --- stacks -------------------------------------------------------------------------------------------------------------

static const char *name_at(const struct tool_profile *p, const struct tool_sample *sample, size_t i) {
    const struct tool_location *location = tool_profile_location(p, sample->location[i]);
    return location != NULL ? location->name : "?";
}

static void print_name(const char *name) {
    for (; *name != '\0'; name++) putchar(*name == ';' ? ':' : *name);
}

static void print_folded(const struct tool_profile *p, int value) {
    for (size_t s = 0; s < p->samples; s++) {
        const struct tool_sample *sample = &p->sample[s];
        if (sample->value[value] == 0) continue;
        if (sample->locations == 0) fputs("[lost]", stdout);
        for (size_t i = sample->locations; i > 0; i--) {
            print_name(name_at(p, sample, i - 1));
            if (i > 1) putchar(';');
        }
        printf(" %lld\n", (long long)sample->value[value]);
    }
}

// --- functions ----------------------------------------------------------------------------------------------------------

struct function {
    const char *name;
    int64_t flat, all;
};

struct functions {
    struct function *of;
    size_t count;
};

static struct function *function_named(struct functions *functions, const char *name) {
    for (size_t i = 0; i < functions->count; i++) {
        if (strcmp(functions->of[i].name, name) == 0) return &functions->of[i];
    }
    functions->of[functions->count] = (struct function){.name = name};
    return &functions->of[functions->count++];
}

// Whether the function stands nearer to the allocation already: it recurses.
static bool is_repeated(const struct tool_profile *p, const struct tool_sample *sample, size_t i) {
    const char *name = name_at(p, sample, i);
    for (size_t before = 0; before < i; before++) {
        if (strcmp(name_at(p, sample, before), name) == 0) return true;
    }
    return false;
}

static int64_t add_up(const struct tool_profile *p, int value, struct functions *functions) {
    int64_t sum = 0;
    for (size_t s = 0; s < p->samples; s++) {
        const struct tool_sample *sample = &p->sample[s];
        sum += sample->value[value];
        if (sample->locations == 0) function_named(functions, "[lost]")->flat += sample->value[value];
        for (size_t i = 0; i < sample->locations; i++) {
            if (is_repeated(p, sample, i)) continue;
            struct function *function = function_named(functions, name_at(p, sample, i));
            function->all += sample->value[value];
            if (i == 0) function->flat += sample->value[value];
        }
    }
    return sum;
}

static int by_amount(const void *a, const void *b) {
    const struct function *x = a, *y = b;
    if (x->flat != y->flat) return x->flat < y->flat ? 1 : -1;
    return x->all < y->all ? 1 : x->all > y->all ? -1 : 0;
}

static const char *amount(int64_t value, bool bytes) {
    static char text[4][32];
    static unsigned turn;
    char *out = text[turn++ % 4];
    if (bytes) return tool_size((uint64_t)(value < 0 ? 0 : value));
    snprintf(out, sizeof text[0], "%lld", (long long)value);
    return out;
}

static double share(int64_t part, int64_t whole) { return whole == 0 ? 0 : 100.0 * (double)part / (double)whole; }

static int print_top(const struct tool_profile *p, int value, const struct settings *s) {
    struct functions functions = {calloc(p->locations + 2, sizeof *functions.of), 0};
    bool bytes = strstr(s->value, "space") != NULL;
    if (functions.of == NULL) return tool_fail("no memory");
    int64_t sum = add_up(p, value, &functions);
    qsort(functions.of, functions.count, sizeof *functions.of, by_amount);
    printf("%s%s: %s%s in %zu stacks; %s\n", tool_bold(), s->value, amount(sum, bytes), tool_plain(), p->samples,
           tool_profile_string(p, p->comment));
    printf("%12s %7s %12s %7s  function\n", "itself", "", "with callees", "");
    for (size_t i = 0; i < functions.count && i < (size_t)s->lines; i++) {
        const struct function *f = &functions.of[i];
        printf("%12s %5.1f %% %12s %5.1f %%  %s\n", amount(f->flat, bytes), share(f->flat, sum), amount(f->all, bytes), share(f->all, sum),
               f->name);
    }
    free(functions.of);
    return TOOL_OK;
}

int tool_top(int argc, char **argv) {
    struct settings settings;
    struct tool_profile profile;
    if (!read_settings(argc, argv, &settings)) return tool_usage("top");
    if (!tool_profile_read(settings.file, &profile)) return TOOL_FAILED;
    int value = find_value(&profile, settings.value);
    if (value < 0) return TOOL_FAILED;
    tool_profile_name(&profile);
    if (!settings.folded) return print_top(&profile, value, &settings);
    print_folded(&profile, value);
    return TOOL_OK;
}
