// What: fuzzes the parser of options. Every accepted value is printed, and the printed text must be accepted with the
// same meaning.
#include <string.h>

#include "core/base/print.h"
#include "core/told/option_value.h"
#include "tests/fuzz/shadow.h"

static void print_again(const struct mb_option_row *row, const struct mb_option_values *values) {
    struct mb_option_values again = *values;
    struct mb_line line = {0};
    mb_option_print_value(&line, row, values);
    struct mb_piece printed = {line.text, line.length};
    if (row->kind == MB_OPTION_TEXT) return; // may hold what ends a value
    EXPECT(mb_option_parse(row, printed, &again));
    EXPECT(memcmp((const char *)&again + row->offset, (const char *)values + row->offset, sizeof(uint64_t)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text[4096];
    static struct mb_option_values values;
    if (size >= sizeof text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    for (const char *cursor = text; *cursor != 0;) {
        const char *before = cursor;
        struct mb_piece name = mb_piece_take(&cursor, '=', ',', '=');
        struct mb_piece value = mb_piece_take(&cursor, ',', ',', ',');
        EXPECT(cursor > before || *cursor == 0);
        const struct mb_option_row *row = mb_option_find(name);
        if (row == NULL)
            (void)mb_option_nearest(name);
        else if (mb_option_parse(row, value, &values))
            print_again(row, &values);
    }
    return 0;
}
