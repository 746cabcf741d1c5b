// mbmalloc top: prints the functions that hold most memory in a heap profile, or its stacks in the folded format from
// which flame graphs are drawn.
#include "preload/tool/tool.h"

#include <stdlib.h>
#include <string.h>

#include "preload/tool/functions.h"

enum { USUAL_LINES = 20 };

struct settings {
    const char *file, *value;
    long lines;
    bool folded;
};

static bool read_settings(int argc, char **argv, struct settings *s) {
    *s = (struct settings){.lines = USUAL_LINES};
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

// --- stacks ----------------------------------------------------------------------------------------------------------

static void print_name(const char *name) {
    for (; *name != '\0'; name++) putchar(*name == ';' ? ':' : *name);
}

static void print_folded(const struct tool_profile *p, int value) {
    for (size_t s = 0; s < p->samples; s++) {
        const struct tool_sample *sample = &p->sample[s];
        if (sample->value[value] == 0) continue;
        if (sample->locations == 0) fputs("[lost]", stdout);
        for (size_t i = sample->locations; i > 0; i--) {
            print_name(tool_profile_function(p, sample, i - 1));
            if (i > 1) putchar(';');
        }
        printf(" %lld\n", (long long)sample->value[value]);
    }
}

// --- functions -------------------------------------------------------------------------------------------------------

static int by_amount(const void *a, const void *b) {
    const struct tool_function *x = a, *y = b;
    int64_t more = x->itself[TOOL_AFTER] - y->itself[TOOL_AFTER];
    if (more == 0) more = x->with_callees[TOOL_AFTER] - y->with_callees[TOOL_AFTER];
    return more > 0 ? -1 : more < 0 ? 1 : strcmp(x->name, y->name);
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

static void print_top(const struct tool_profile *p, int value, const struct settings *s) {
    struct tool_functions functions = {0};
    bool bytes = strstr(s->value, "space") != NULL;
    int64_t sum = tool_functions_add(&functions, p, value, TOOL_AFTER);
    if (functions.count > 0) qsort(functions.of, functions.count, sizeof *functions.of, by_amount);
    printf("%s%s: %s%s in %zu stacks; %s\n", tool_bold(), s->value, amount(sum, bytes), tool_plain(), p->samples,
           tool_profile_string(p, p->comment));
    if (p->samples == 0) {
        printf("no sample: on average one block is noted in as many bytes as the period says (512K is usual), from the profile's start on. "
               "Let it run "
               "for longer or under load, or take a shorter period.\n");
    }
    printf("%12s %7s %12s %7s  function\n", "itself", "", "with callees", "");
    for (size_t i = 0; i < functions.count && i < (size_t)s->lines; i++) {
        const struct tool_function *f = &functions.of[i];
        int64_t itself = f->itself[TOOL_AFTER], with_callees = f->with_callees[TOOL_AFTER];
        printf("%12s %5.1f %% %12s %5.1f %%  %s\n", amount(itself, bytes), share(itself, sum), amount(with_callees, bytes),
               share(with_callees, sum), f->name);
    }
    free(functions.of), free(functions.by_name);
}

int tool_top(int argc, char **argv) {
    struct settings settings;
    struct tool_profile profile;
    if (!read_settings(argc, argv, &settings)) return tool_usage("top");
    if (!tool_profile_read(settings.file, &profile)) return TOOL_FAILED;
    if (settings.value == NULL) settings.value = tool_profile_usual(&profile);
    int value = tool_profile_value(&profile, settings.value);
    if (value < 0) return TOOL_FAILED;
    tool_profile_name(&profile);
    if (settings.folded)
        print_folded(&profile, value);
    else
        print_top(&profile, value, &settings);
    return TOOL_OK;
}
