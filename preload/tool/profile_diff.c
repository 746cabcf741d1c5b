// mbmalloc diff of two heap profiles: which functions hold more or less memory than before. If the program should have
// returned to the same state, what has grown is a leak.
#include "preload/tool/tool.h"

#include <stdlib.h>
#include <string.h>

#include "preload/tool/functions.h"

enum { USUAL_LINES = 20 };

struct settings {
    const char *file[TOOL_SIDES], *value;
    long lines;
};

static bool read_settings(int argc, char **argv, struct settings *s) {
    unsigned files = 0;
    *s = (struct settings){.value = "inuse_space", .lines = USUAL_LINES};
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--value") == 0 && more)
            s->value = argv[++i];
        else if (strcmp(argv[i], "-n") == 0 && more)
            s->lines = atol(argv[++i]);
        else if (files < TOOL_SIDES && argv[i][0] != '-')
            s->file[files++] = argv[i];
        else
            return false;
    }
    return files == TOOL_SIDES && s->lines > 0;
}

static int64_t change_of(const struct tool_function *f) { return f->itself[TOOL_AFTER] - f->itself[TOOL_BEFORE]; }
static int64_t change_with_callees(const struct tool_function *f) { return f->with_callees[TOOL_AFTER] - f->with_callees[TOOL_BEFORE]; }
static int64_t size_of_change(int64_t change) { return change < 0 ? -change : change; }

// Sorts by how much the memory that the function allocates itself has changed, the largest change first.
static int by_change(const void *a, const void *b) {
    int64_t x = size_of_change(change_of(a)), y = size_of_change(change_of(b));
    if (x == y) x = size_of_change(change_with_callees(a)), y = size_of_change(change_with_callees(b));
    return x < y ? 1 : x > y ? -1 : strcmp(((const struct tool_function *)a)->name, ((const struct tool_function *)b)->name);
}

static const char *amount(int64_t value, bool bytes, bool sign) {
    static char text[4][40];
    static unsigned turn;
    char *out = text[turn++ % 4];
    const char *mark = value < 0 ? "-" : sign && value > 0 ? "+" : "";
    if (bytes)
        snprintf(out, sizeof text[0], "%s%s", mark, tool_size((uint64_t)size_of_change(value)));
    else
        snprintf(out, sizeof text[0], "%s%lld", mark, (long long)size_of_change(value));
    return out;
}

static void print(struct tool_functions *functions, const int64_t *sum, const struct settings *s) {
    bool bytes = strstr(s->value, "space") != NULL;
    printf("%s%s: %s -> %s, %s%s\n", tool_bold(), s->value, amount(sum[TOOL_BEFORE], bytes, false), amount(sum[TOOL_AFTER], bytes, false),
           amount(sum[TOOL_AFTER] - sum[TOOL_BEFORE], bytes, true), tool_plain());
    printf("%12s %12s %12s %14s  function\n", "before", "after", "change", "with callees");
    if (functions->count > 0) qsort(functions->of, functions->count, sizeof *functions->of, by_change);
    for (size_t i = 0; i < functions->count && i < (size_t)s->lines; i++) {
        const struct tool_function *f = &functions->of[i];
        if (change_of(f) == 0 && change_with_callees(f) == 0) break;
        printf("%12s %12s %12s %14s  %s\n", amount(f->itself[TOOL_BEFORE], bytes, false), amount(f->itself[TOOL_AFTER], bytes, false),
               amount(change_of(f), bytes, true), amount(change_with_callees(f), bytes, true), f->name);
    }
}

int tool_profile_diff(int argc, char **argv) {
    struct settings settings;
    struct tool_functions functions = {0};
    int64_t sum[TOOL_SIDES] = {0};
    if (!read_settings(argc, argv, &settings)) return tool_usage("diff");
    for (enum tool_side side = 0; side < TOOL_SIDES; side++) {
        struct tool_profile profile;
        if (!tool_profile_read(settings.file[side], &profile)) return TOOL_FAILED;
        int value = tool_profile_value(&profile, settings.value);
        if (value < 0) return TOOL_FAILED;
        tool_profile_name(&profile);
        sum[side] = tool_functions_add(&functions, &profile, value, side);
    }
    print(&functions, sum, &settings);
    free(functions.of), free(functions.by_name);
    return TOOL_OK;
}
