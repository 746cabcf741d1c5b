// Prints the options and profiles from the library's own table, for mbmalloc-options(7).
#include <ctype.h>
#include <stdio.h>

#include "core/told/option_table.h"
#include "core/told/option_value.h"

static void print_option(const struct mb_option_row *row) {
    struct mb_line range = {0}, normal = {0};
    mb_option_print_range(&range, row);
    mb_option_print_default(&normal, row);
    printf("*%s*\n\t%.*s; default %.*s%s.\n\t%c%s.\n\n", row->name, (int)range.length, range.text, (int)normal.length, normal.text,
           row->when == MB_OPTION_LIVE ? "; may be set while the program runs" : "", toupper(row->help[0]), row->help + 1);
}

static void print_profile(const struct mb_profile_row *row) {
    printf("*profile=%s*\n\t%s%s%c%s.\n\n", row->name, row->values, row->values[0] != '\0' ? ": " : "", toupper(row->help[0]),
           row->help + 1);
}

int main(void) {
    for (size_t i = 0; i < MB_OPTION_ROWS; i++) print_option(&mb_option_rows[i]);
    for (size_t i = 0; i < MB_PROFILE_ROWS; i++) print_profile(&mb_profile_rows[i]);
    return 0;
}
