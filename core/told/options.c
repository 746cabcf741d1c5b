#include "core/told/options.h"

#include <stddef.h>

#include "core/base/print.h"
#include "platform/os.h"

enum { STANDARD_ERROR = 2, NAME_MAX_LENGTH = 32 };

struct mb_options mb_options = {.background = 1, .purge_delay_ms = 1000};

// Text of the environment that is not terminated where it ends.
struct piece {
    const char *text;
    size_t length;
};

enum value_kind { NUMBER, WHEN, PATH };

static const struct option {
    const char *name;
    enum value_kind kind;
    void *target;
    uint64_t max;
    const char *help;
} OPTIONS[] = {
    {"background", NUMBER, &mb_options.background, 1, "0: no helper thread gives memory back"},
    {"huge_pages", NUMBER, &mb_options.huge_pages, 1, "1: huge pages are asked for once the heap is large"},
    {"purge_delay_ms", NUMBER, &mb_options.purge_delay_ms, 3600000, "free pages older than this go back to the system"},
    {"seed", NUMBER, &mb_options.seed, UINT32_MAX, "not 0: places and keys follow from it, so that a run can be repeated"},
    {"stats", WHEN, &mb_options.stats, 0, "exit: print statistics when the process ends"},
    {"stats_file", PATH, mb_options.stats_file, sizeof mb_options.stats_file - 1, "append a line of statistics at exit"},
    {"help", WHEN, NULL, 0, "list the options"},
};
enum { OPTION_COUNT = sizeof OPTIONS / sizeof OPTIONS[0] };

// --- matching -------------------------------------------------------------------------------------------------------

static bool equals(struct piece piece, const char *text) {
    size_t i = 0;
    while (i < piece.length && text[i] != '\0' && piece.text[i] == text[i]) i++;
    return i == piece.length && text[i] == '\0';
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Edit distance by one row of the table (Wagner and Fischer 1974).
static size_t distance(struct piece piece, const char *name) {
    size_t row[NAME_MAX_LENGTH + 1];
    size_t width = smaller(piece.length, NAME_MAX_LENGTH);
    for (size_t i = 0; i <= width; i++) row[i] = i;
    for (size_t j = 0; name[j] != '\0'; j++) {
        size_t diagonal = row[0];
        row[0] = j + 1;
        for (size_t i = 1; i <= width; i++) {
            size_t replaced = diagonal + (piece.text[i - 1] != name[j]);
            diagonal = row[i];
            row[i] = smaller(replaced, smaller(row[i], row[i - 1]) + 1);
        }
    }
    return row[width];
}

static const struct option *nearest(struct piece name) {
    const struct option *best = &OPTIONS[0];
    for (size_t i = 1; i < OPTION_COUNT; i++) {
        if (distance(name, OPTIONS[i].name) < distance(name, best->name)) best = &OPTIONS[i];
    }
    return best;
}

// --- messages -------------------------------------------------------------------------------------------------------

static void add_piece(struct mb_line *line, struct piece piece) {
    for (size_t i = 0; i < piece.length && i < 80; i++) {
        char character[2] = {piece.text[i], '\0'};
        mb_line_text(line, character);
    }
}

static void warn(const char *what, struct piece piece, const char *hint, const char *name) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: MBMALLOC_OPTIONS: ");
    mb_line_text(&line, what);
    mb_line_text(&line, " '");
    add_piece(&line, piece);
    mb_line_text(&line, "'");
    mb_line_text(&line, hint);
    mb_line_text(&line, name);
    mb_line_write(&line, STANDARD_ERROR);
}

static void print_help(void) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        struct mb_line line = {0};
        mb_line_text(&line, "mbmalloc: ");
        mb_line_text(&line, OPTIONS[i].name);
        mb_line_text(&line, ": ");
        mb_line_text(&line, OPTIONS[i].help);
        mb_line_write(&line, STANDARD_ERROR);
    }
}

// --- values ---------------------------------------------------------------------------------------------------------

static bool parse_number(struct piece value, uint64_t max, uint64_t *out) {
    uint64_t number = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (value.text[i] < '0' || value.text[i] > '9') return false;
        number = number * 10 + (uint64_t)(value.text[i] - '0');
        if (number > max) return false;
    }
    if (value.length == 0) return false;
    *out = number;
    return true;
}

static bool parse_path(struct piece value, uint64_t max, char *out) {
    if (value.length == 0 || value.length > max) return false;
    for (size_t i = 0; i < value.length; i++) out[i] = value.text[i];
    out[value.length] = '\0';
    return true;
}

static bool set_value(const struct option *option, struct piece value) {
    switch (option->kind) {
    case NUMBER: return parse_number(value, option->max, option->target);
    case PATH: return parse_path(value, option->max, option->target);
    case WHEN: break;
    }
    if (!equals(value, "exit")) return false;
    mb_options.stats = MB_STATS_EXIT;
    return true;
}

static void set_option(struct piece name, struct piece value) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!equals(name, OPTIONS[i].name)) continue;
        if (OPTIONS[i].target == NULL) {
            print_help();
        } else if (!set_value(&OPTIONS[i], value)) {
            warn("bad value", value, " for ", OPTIONS[i].name);
        }
        return;
    }
    warn("unknown option", name, ", nearest is ", nearest(name)->name);
}

static struct piece take_until(const char **cursor, char stop) {
    const char *begin = *cursor;
    while (**cursor != '\0' && **cursor != ',' && **cursor != stop) (*cursor)++;
    return (struct piece){begin, (size_t)(*cursor - begin)};
}

void mb_options_init(void) {
    const char *cursor = mb_os_env("MBMALLOC_OPTIONS");
    while (cursor != NULL && *cursor != '\0') {
        struct piece name = take_until(&cursor, '=');
        if (*cursor == '=') cursor++;
        struct piece value = take_until(&cursor, ',');
        if (*cursor == ',') cursor++;
        if (name.length > 0) set_option(name, value);
    }
}
