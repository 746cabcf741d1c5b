#include "core/told/options.h"

#include <string.h>

#include "core/base/print.h"
#include "core/base/sealed.h"
#include "core/base/version.h"
#include "core/told/option_value.h"
#include "platform/atomic.h"
#include "platform/os.h"

enum { STANDARD_ERROR = 2, STRICT_STATUS = 78 }; // EX_CONFIG of <sysexits.h>

#define NUMBER(name, kind, normal, min, max, choices, when, help) .name = normal,
#define TEXT(name, what, when, help)
struct mb_option_values mb_option MB_SEALED = {MB_OPTION_TABLE(NUMBER, TEXT)};
#undef NUMBER
#undef TEXT

static uint8_t sources[MB_OPTION_ROWS] MB_SEALED; // enum mb_option_source; written with the value

enum mb_option_source mb_option_source(const struct mb_option_row *row) {
    return (enum mb_option_source)MB_PEEK(sources[row - mb_option_rows]);
}

// --- messages -------------------------------------------------------------------------------------------------------

static const char SOURCE_NAMES[][20] = {"default", "profile", "mb_options", "MBMALLOC_OPTIONS", "API"};

static void warn(enum mb_option_source source, const char *what, struct mb_piece piece, struct mb_line *hint) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: ");
    mb_line_text(&line, SOURCE_NAMES[source]);
    mb_line_text(&line, ": ");
    mb_line_text(&line, what);
    mb_line_text(&line, " '");
    mb_line_piece(&line, piece.text, piece.length < 80 ? piece.length : 80);
    mb_line_text(&line, "'");
    mb_line_piece(&line, hint->text, hint->length);
    mb_line_write(&line, STANDARD_ERROR);
}

static void warn_unknown(enum mb_option_source source, struct mb_piece name) {
    struct mb_line hint = {0};
    const struct mb_option_row *nearest = mb_option_nearest(name);
    mb_line_text(&hint, nearest != NULL ? ", nearest is " : ", see MBMALLOC_OPTIONS=help");
    if (nearest != NULL) mb_line_text(&hint, nearest->name);
    warn(source, "unknown option", name, &hint);
}

static void warn_bad(enum mb_option_source source, const struct mb_option_row *row, struct mb_piece value) {
    struct mb_line hint = {0};
    mb_line_text(&hint, " for ");
    mb_line_text(&hint, row->name);
    mb_line_text(&hint, ", which takes ");
    mb_option_print_range(&hint, row);
    warn(source, "bad value", value, &hint);
}

static void begin_row(struct mb_line *line, const struct mb_option_row *row, const char *between) {
    mb_line_text(line, "mbmalloc: ");
    mb_line_text(line, row->name);
    mb_line_text(line, between);
}

static void print_help(void) {
    for (unsigned i = 0; i < MB_OPTION_ROWS; i++) {
        struct mb_line line = {0};
        begin_row(&line, &mb_option_rows[i], ": ");
        mb_option_print_range(&line, &mb_option_rows[i]);
        mb_line_text(&line, "; default ");
        mb_option_print_default(&line, &mb_option_rows[i]);
        mb_line_text(&line, "; ");
        mb_line_text(&line, mb_option_rows[i].help);
        mb_line_write(&line, STANDARD_ERROR);
    }
    for (unsigned i = 0; i < MB_PROFILE_ROWS; i++) {
        struct mb_line line = {0};
        mb_line_text(&line, "mbmalloc: profile=");
        mb_line_text(&line, mb_profile_rows[i].name);
        mb_line_text(&line, ": ");
        mb_line_text(&line, mb_profile_rows[i].values);
        mb_line_text(&line, mb_profile_rows[i].values[0] != '\0' ? "; " : "");
        mb_line_text(&line, mb_profile_rows[i].help);
        mb_line_write(&line, STANDARD_ERROR);
    }
}

static void add_source(struct mb_line *line, const struct mb_option_row *row) {
    mb_line_text(line, " (");
    mb_line_text(line, SOURCE_NAMES[mb_option_source(row)]);
    mb_line_text(line, ")");
}

static void print_values(void) {
    for (unsigned i = 0; i < MB_OPTION_ROWS; i++) {
        struct mb_line line = {0};
        begin_row(&line, &mb_option_rows[i], "=");
        mb_option_print_value(&line, &mb_option_rows[i], &mb_option);
        add_source(&line, &mb_option_rows[i]);
        mb_line_write(&line, STANDARD_ERROR);
    }
}

void mb_options_say_active(const char *file) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc " MBMALLOC_VERSION ": serves ");
    mb_line_text(&line, mb_os_program_name());
    mb_line_pair(&line, "pid", (uint64_t)mb_os_pid());
    mb_line_text(&line, " from ");
    mb_line_text(&line, file);
    mb_line_text(&line, "; options:");
    for (unsigned i = 0; i < MB_OPTION_ROWS; i++) {
        if (mb_option_source(&mb_option_rows[i]) == MB_FROM_DEFAULT) continue;
        mb_line_text(&line, " ");
        mb_line_text(&line, mb_option_rows[i].name);
        mb_line_text(&line, "=");
        mb_option_print_value(&line, &mb_option_rows[i], &mb_option);
        add_source(&line, &mb_option_rows[i]);
    }
    mb_line_write(&line, STANDARD_ERROR);
}

void mb_options_say_unskipped(void) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: MBMALLOC_OPTIONS: 'only' and 'skip' do nothing in a static program: mbmalloc serves it");
    mb_line_write(&line, STANDARD_ERROR);
}

// --- reading a text -------------------------------------------------------------------------------------------------

static const uint64_t ALL_ROWS = UINT64_MAX;
_Static_assert(MB_OPTION_ROWS <= 64, "a set of rows is a word");

struct reading {
    const char *cursor;
    struct mb_piece name, value;
};

// The next pair that has a name; false at the end.
static bool next_pair(struct reading *r) {
    while (*r->cursor != '\0') {
        r->name = mb_piece_take(&r->cursor, '=', ',', '=');
        r->value = mb_piece_take(&r->cursor, ',', ',', ',');
        if (r->name.length > 0) return true;
    }
    return false;
}

static uint64_t set_of(const struct mb_option_row *row) { return UINT64_C(1) << (row - mb_option_rows); }

static bool set(const struct mb_option_row *row, struct mb_piece value, enum mb_option_source source) {
    if (!mb_option_parse(row, value, &mb_option)) return false;
    MB_POKE(sources[row - mb_option_rows], (uint8_t)source);
    return true;
}

// Sets what of the text is in `rows` and good.
static void set_some(const char *text, enum mb_option_source source, uint64_t rows) {
    struct reading r = {.cursor = text};
    while (next_pair(&r)) {
        const struct mb_option_row *row = mb_option_find(r.name);
        if (row != NULL && (rows & set_of(row)) != 0) set(row, r.value, source);
    }
}

// Sets all of the text; what cannot be set is one warning each. How many those were.
static unsigned set_all(const char *text, enum mb_option_source source) {
    unsigned mistakes = 0;
    struct reading r = {.cursor = text};
    while (next_pair(&r)) {
        const struct mb_option_row *row = mb_option_find(r.name);
        if (row != NULL && set(row, r.value, source)) continue;
        mistakes++;
        if (row == NULL)
            warn_unknown(source, r.name);
        else
            warn_bad(source, row, r.value);
    }
    return mistakes;
}

// --- the start ------------------------------------------------------------------------------------------------------

// A list of names, a colon between two; a star at the end of one stands for anything.
static bool is_listed(const char *names) {
    while (*names != '\0') {
        struct mb_piece name = mb_piece_take(&names, ':', ':', ':');
        if (name.length > 0 && mb_os_program_is(name.text, name.length)) return true;
    }
    return false;
}

static bool is_served(void) { return (mb_option.only[0] == '\0' || is_listed(mb_option.only)) && !is_listed(mb_option.skip); }

static void set_profile(const char *program, const char *environment) {
    uint64_t profile = UINT64_C(1) << MB_OPTION_INDEX_profile;
    if (program != NULL) set_some(program, MB_FROM_PROGRAM, profile);
    if (environment != NULL) set_some(environment, MB_FROM_ENVIRONMENT, profile);
    set_some(mb_profile_rows[mb_option.profile].values, MB_FROM_PROFILE, ALL_ROWS & ~profile);
}

static const char *program_text(void) { return &mb_options != NULL ? mb_options : NULL; }
static const char *environment_text(void) { return mb_os_env("MBMALLOC_OPTIONS"); }

bool mb_options_are_given(void) { return program_text() != NULL || environment_text() != NULL; }

static bool read_all(void) {
    const char *program = program_text(), *environment = environment_text();
    if (program == NULL && environment == NULL) return true;
    if (environment != NULL) {
        uint64_t names = UINT64_C(1) << MB_OPTION_INDEX_only | UINT64_C(1) << MB_OPTION_INDEX_skip;
        set_some(environment, MB_FROM_ENVIRONMENT, names);
        if (!is_served()) return false;
    }
    set_profile(program, environment);
    unsigned mistakes = program != NULL ? set_all(program, MB_FROM_PROGRAM) : 0;
    if (environment != NULL) mistakes += set_all(environment, MB_FROM_ENVIRONMENT);
    if (mb_option.help != 0) print_help();
    if (mb_option.show != 0) print_values();
    if (mb_option.strict != 0 && mistakes > 0) mb_os_exit(STRICT_STATUS);
    return true;
}

// A start that the system refuses is tried again, and reads and prints nothing then.
bool mb_options_init(void) {
    static bool done, served; // written by the thread that runs the start
    if (!done) served = read_all();
    done = true;
    return served;
}

// --- later ----------------------------------------------------------------------------------------------------------

static bool may_set(struct reading *r, struct mb_option_values *scratch) {
    const struct mb_option_row *row = mb_option_find(r->name);
    return row != NULL && row->when == MB_OPTION_LIVE && mb_option_parse(row, r->value, scratch);
}

// A reader of a number sees the old or the new one.
static void copy_value(const struct mb_option_row *row, const struct mb_option_values *from) {
    const char *source = (const char *)from + row->offset;
    char *target = (char *)&mb_option + row->offset;
    if (row->kind == MB_OPTION_TEXT)
        memcpy(target, source, MB_OPTION_TEXT_BYTES);
    else
        MB_POKE(*(uint64_t *)target, *(const uint64_t *)source);
    MB_POKE(sources[row - mb_option_rows], (uint8_t)MB_FROM_API);
}

bool mb_options_set(const char *text) {
    struct mb_option_values values;
    struct reading r = {.cursor = text};
    while (next_pair(&r)) {
        if (!may_set(&r, &values)) return false;
    }
    if (!mb_sealed_open()) return false;
    r.cursor = text;
    while (next_pair(&r)) copy_value(mb_option_find(r.name), &values);
    mb_sealed_close();
    return true;
}
