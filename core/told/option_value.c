#include "core/told/option_value.h"

#include <string.h>

// --- words ----------------------------------------------------------------------------------------------------------

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static struct mb_piece trimmed(struct mb_piece piece) {
    while (piece.length > 0 && is_space(piece.text[0])) piece.text++, piece.length--;
    while (piece.length > 0 && is_space(piece.text[piece.length - 1])) piece.length--;
    return piece;
}

struct mb_piece mb_piece_take(const char **cursor, char stop, char other_stop, char skip) {
    const char *begin = *cursor;
    while (**cursor != '\0' && **cursor != stop && **cursor != other_stop) (*cursor)++;
    struct mb_piece piece = {begin, (size_t)(*cursor - begin)};
    if (**cursor != '\0' && **cursor == skip) (*cursor)++;
    return trimmed(piece);
}

static bool begins(struct mb_piece piece, const char *word) {
    size_t i = 0;
    while (i < piece.length && word[i] != '\0' && lower(piece.text[i]) == word[i]) i++;
    return i == piece.length;
}

bool mb_piece_is(struct mb_piece piece, const char *word) { return piece.length == strlen(word) && begins(piece, word); }

// --- names ----------------------------------------------------------------------------------------------------------

enum { NAME_MAX_LENGTH = 32, PREFIX_MIN_LENGTH = 3 };

const struct mb_option_row *mb_option_find(struct mb_piece name) {
    for (size_t i = 0; i < MB_OPTION_ROWS; i++) {
        if (mb_piece_is(name, mb_option_rows[i].name)) return &mb_option_rows[i];
    }
    return NULL;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Edit distance by one row of the table (Wagner and Fischer 1974).
static size_t distance(struct mb_piece piece, const char *name) {
    size_t row[NAME_MAX_LENGTH + 1];
    size_t width = smaller(piece.length, NAME_MAX_LENGTH);
    for (size_t i = 0; i <= width; i++) row[i] = i;
    for (size_t j = 0; name[j] != '\0'; j++) {
        size_t diagonal = row[0];
        row[0] = j + 1;
        for (size_t i = 1; i <= width; i++) {
            size_t replaced = diagonal + (lower(piece.text[i - 1]) != name[j]);
            diagonal = row[i];
            row[i] = smaller(replaced, smaller(row[i], row[i - 1]) + 1);
        }
    }
    return row[width] + (piece.length - width);
}

// What counts as near: a third of the letters and one. A beginning of the name is nearer than any misspelt one.
static size_t remoteness(struct mb_piece name, const struct mb_option_row *row) {
    if (name.length >= PREFIX_MIN_LENGTH && begins(name, row->name)) return 1;
    size_t edits = distance(name, row->name);
    return edits <= 1 + smaller(name.length, strlen(row->name)) / 3 ? edits : SIZE_MAX;
}

const struct mb_option_row *mb_option_nearest(struct mb_piece name) {
    const struct mb_option_row *best = NULL;
    size_t nearest = SIZE_MAX;
    for (size_t i = 0; i < MB_OPTION_ROWS; i++) {
        size_t away = remoteness(name, &mb_option_rows[i]);
        if (away < nearest) best = &mb_option_rows[i], nearest = away;
    }
    return best;
}

// --- parsing --------------------------------------------------------------------------------------------------------

static bool parse_switch(struct mb_piece text, uint64_t *out) {
    static const char words[2][4][6] = {{"0", "off", "no", "false"}, {"1", "on", "yes", "true"}};
    if (text.length == 0) {
        *out = 1;
        return true;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (!mb_piece_is(text, words[i / 4][i % 4])) continue;
        *out = i / 4;
        return true;
    }
    return false;
}

static bool parse_auto(struct mb_piece text, uint64_t *out) {
    if (!mb_piece_is(text, "auto")) return false;
    *out = MB_OPTION_AUTO;
    return true;
}

// What a unit stands for; 0: no such unit.
static uint64_t unit_factor(enum mb_option_kind kind, struct mb_piece unit) {
    static const char times[3][4] = {"ms", "s", "min"},
                      sizes[4][3][4] = {{"k", "kb", "kib"}, {"m", "mb", "mib"}, {"g", "gb", "gib"}, {"t", "tb", "tib"}};
    static const uint64_t milliseconds[3] = {1, 1000, 60000};
    if (unit.length == 0) return 1;
    for (unsigned i = 0; kind == MB_OPTION_TIME_MS && i < 3; i++) {
        if (mb_piece_is(unit, times[i])) return milliseconds[i];
    }
    bool bytes = kind == MB_OPTION_BYTES || kind == MB_OPTION_SHARE;
    for (unsigned i = 0; bytes && i < 12; i++) {
        if (mb_piece_is(unit, sizes[i / 3][i % 3])) return UINT64_C(1024) << (10 * (i / 3));
    }
    return bytes && mb_piece_is(unit, "b") ? 1 : 0;
}

static bool parse_number(const struct mb_option_row *row, struct mb_piece text, uint64_t *out) {
    uint64_t number = 0;
    size_t i = 0;
    for (; i < text.length && text.text[i] >= '0' && text.text[i] <= '9'; i++) {
        if (__builtin_mul_overflow(number, UINT64_C(10), &number)) return false;
        if (__builtin_add_overflow(number, (uint64_t)(text.text[i] - '0'), &number)) return false;
    }
    uint64_t factor = unit_factor(row->kind, trimmed((struct mb_piece){text.text + i, text.length - i}));
    if (i == 0 || factor == 0 || __builtin_mul_overflow(number, factor, &number)) return false;
    if (number < row->min || number > row->max) return false;
    *out = number;
    return true;
}

static bool parse_share(const struct mb_option_row *row, struct mb_piece text, uint64_t *out) {
    static const struct mb_option_row percent = {.kind = MB_OPTION_COUNT, .min = 1, .max = 100};
    if (text.length == 0 || text.text[text.length - 1] != '%') return parse_number(row, text, out);
    uint64_t number;
    if (!parse_number(&percent, trimmed((struct mb_piece){text.text, text.length - 1}), &number)) return false;
    *out = number | MB_OPTION_SHARE_FLAG;
    return true;
}

static bool parse_choice(const struct mb_option_row *row, struct mb_piece text, uint64_t *out) {
    const char *cursor = row->choices;
    for (uint64_t i = 0; *cursor != '\0'; i++) {
        struct mb_piece word = mb_piece_take(&cursor, ' ', ' ', ' ');
        if (word.length != text.length || !begins(text, word.text)) continue;
        *out = i;
        return true;
    }
    return false;
}

static bool parse_text(struct mb_piece text, char *out) {
    if (text.length == 0 || text.length >= MB_OPTION_TEXT_BYTES) return false;
    memcpy(out, text.text, text.length);
    out[text.length] = '\0';
    return true;
}

bool mb_option_parse(const struct mb_option_row *row, struct mb_piece text, struct mb_option_values *out) {
    void *value = (char *)out + row->offset;
    switch ((enum mb_option_kind)row->kind) {
    case MB_OPTION_SWITCH: return parse_switch(text, value);
    case MB_OPTION_AUTO_SWITCH: return parse_auto(text, value) || parse_switch(text, value);
    case MB_OPTION_COUNT:
    case MB_OPTION_BYTES:
    case MB_OPTION_TIME_MS: return parse_number(row, text, value);
    case MB_OPTION_SHARE: return parse_share(row, text, value);
    case MB_OPTION_CHOICE: return parse_choice(row, text, value);
    case MB_OPTION_TEXT: return parse_text(text, value);
    }
    return false;
}

// --- printing -------------------------------------------------------------------------------------------------------

static void print_number(struct mb_line *line, const struct mb_option_row *row, uint64_t number) {
    static const char units[5][2] = {"", "K", "M", "G", "T"};
    unsigned power = 0;
    bool bytes = row->kind == MB_OPTION_BYTES || row->kind == MB_OPTION_SHARE;
    if (row->kind == MB_OPTION_SHARE && (number & MB_OPTION_SHARE_FLAG) != 0) {
        mb_line_number(line, number & ~MB_OPTION_SHARE_FLAG);
        mb_line_text(line, "%");
        return;
    }
    if (row->kind == MB_OPTION_AUTO_SWITCH && number == MB_OPTION_AUTO) return mb_line_text(line, "auto");
    while (bytes && power < 4 && number != 0 && number % 1024 == 0) number /= 1024, power++;
    mb_line_number(line, number);
    mb_line_text(line, units[power]);
}

static void print_choice(struct mb_line *line, const struct mb_option_row *row, uint64_t number) {
    const char *cursor = row->choices;
    struct mb_piece word = mb_piece_take(&cursor, ' ', ' ', ' ');
    for (uint64_t i = 0; i < number; i++) word = mb_piece_take(&cursor, ' ', ' ', ' ');
    mb_line_piece(line, word.text, word.length);
}

void mb_option_print_value(struct mb_line *line, const struct mb_option_row *row, const struct mb_option_values *values) {
    const void *value = (const char *)values + row->offset;
    if (row->kind == MB_OPTION_TEXT)
        mb_line_text(line, value);
    else if (row->kind == MB_OPTION_CHOICE)
        print_choice(line, row, *(const uint64_t *)value);
    else
        print_number(line, row, *(const uint64_t *)value);
}

void mb_option_print_default(struct mb_line *line, const struct mb_option_row *row) {
    if (row->kind == MB_OPTION_TEXT)
        mb_line_text(line, "none");
    else if (row->kind == MB_OPTION_CHOICE)
        print_choice(line, row, row->normal);
    else
        print_number(line, row, row->normal);
}

static void print_choices(struct mb_line *line, const struct mb_option_row *row) {
    const char *cursor = row->choices;
    for (const char *between = ""; *cursor != '\0'; between = ", ") {
        struct mb_piece word = mb_piece_take(&cursor, ' ', ' ', ' ');
        mb_line_text(line, between);
        mb_line_piece(line, word.text, word.length);
    }
}

void mb_option_print_range(struct mb_line *line, const struct mb_option_row *row) {
    static const char units[][24] = {[MB_OPTION_BYTES] = " (K, M, G, T)",
                                     [MB_OPTION_SHARE] = " (K, M, G, T), or %",
                                     [MB_OPTION_TIME_MS] = " (ms, s, min)",
                                     [MB_OPTION_TEXT] = ""};
    switch ((enum mb_option_kind)row->kind) {
    case MB_OPTION_SWITCH: mb_line_text(line, "0 or 1"); return;
    case MB_OPTION_AUTO_SWITCH: mb_line_text(line, "0, 1 or auto"); return;
    case MB_OPTION_CHOICE: print_choices(line, row); return;
    case MB_OPTION_TEXT:
        mb_line_text(line, row->choices);
        mb_line_text(line, " of at most ");
        mb_line_number(line, MB_OPTION_TEXT_BYTES - 1);
        mb_line_text(line, " characters");
        return;
    case MB_OPTION_COUNT:
    case MB_OPTION_BYTES:
    case MB_OPTION_SHARE:
    case MB_OPTION_TIME_MS: break;
    }
    print_number(line, row, row->min);
    mb_line_text(line, " to ");
    print_number(line, row, row->max);
    mb_line_text(line, units[row->kind]);
}
