#include "core/told/option_table.h"

const struct mb_option_row mb_option_rows[MB_OPTION_ROWS] = {
#define NUMBER(name, kind, normal, min, max, choices, when, help)                                                                          \
    {#name, choices, help, MB_OPTION_##kind, MB_OPTION_##when, offsetof(struct mb_option_values, name), normal, min, max},
#define TEXT(name, what, when, help)                                                                                                       \
    {#name, what, help, MB_OPTION_TEXT, MB_OPTION_##when, offsetof(struct mb_option_values, name), 0, 0, 0},
    MB_OPTION_TABLE(NUMBER, TEXT)
#undef NUMBER
#undef TEXT
};

const struct mb_profile_row mb_profile_rows[MB_PROFILE_ROWS] = {
#define PROFILE(name, values, help) {#name, values, help},
    MB_PROFILE_TABLE(PROFILE)
#undef PROFILE
};
