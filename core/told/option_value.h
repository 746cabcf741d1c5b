// Names and values of options as text: comparing, parsing, printing, and finding the known word that a misspelt one is
// closest to.
//
// Who: any thread; no state but the caller's.
#ifndef MB_CORE_TOLD_OPTION_VALUE_H
#define MB_CORE_TOLD_OPTION_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/print.h"
#include "core/told/option_table.h"

// Text that is not terminated where it ends.
struct mb_piece {
    const char *text;
    size_t length;
};

// The text up to the first of two characters, or its end, without white space around it; *cursor moves behind it, and
// behind `skip` if that stands there.
struct mb_piece mb_piece_take(const char **cursor, char stop, char other_stop, char skip);

// Whether it says the same, upper and lower case alike.
bool mb_piece_is(struct mb_piece piece, const char *word);

// The row of that name; NULL: none.
const struct mb_option_row *mb_option_find(struct mb_piece name);

// The row whose name is near to a misspelt one: few letters differ, or one begins with the other. NULL: none.
const struct mb_option_row *mb_option_nearest(struct mb_piece name);

// Sets the row's value in *out if the text is one: false, and *out as it was, otherwise. An empty text is 1 for a
// switch.
bool mb_option_parse(const struct mb_option_row *row, struct mb_piece text, struct mb_option_values *out);

// Appends the value / the value when nothing sets it / what values there are.
void mb_option_print_value(struct mb_line *line, const struct mb_option_row *row, const struct mb_option_values *values);
void mb_option_print_default(struct mb_line *line, const struct mb_option_row *row);
void mb_option_print_range(struct mb_line *line, const struct mb_option_row *row);

#endif
