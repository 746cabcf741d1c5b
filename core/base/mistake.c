#include "core/base/mistake.h"

#include <stdbool.h>

#include "core/base/check.h"
#include "core/base/print.h"

enum { STANDARD_ERROR = 2 };

static void add_number(struct mb_line *line, const char *before, size_t number, const char *after) {
    mb_line_text(line, before);
    mb_line_number(line, number);
    mb_line_text(line, after);
}

static void add_place(struct mb_line *line, const struct mb_mistake *mistake) {
    size_t inside = (size_t)((const char *)mistake->address - (const char *)mistake->start);
    if (mistake->bytes == 0) return;
    if (mistake->start == NULL) {
        add_number(line, ", room for blocks of ", mistake->bytes, " bytes");
    } else if (inside == 0) {
        add_number(line, ", a block of ", mistake->bytes, " bytes");
    } else {
        bool behind = inside >= mistake->bytes;
        add_number(line, ", ", behind ? inside - mistake->bytes : inside,
                   behind ? " bytes behind the block of " : " bytes into the block of ");
        add_number(line, "", mistake->bytes, " bytes at ");
        mb_line_hex(line, (uintptr_t)mistake->start);
    }
}

static void add_all(struct mb_line *line, const struct mb_mistake *mistake) {
    mb_line_text(line, "mbmalloc: ");
    mb_line_text(line, mistake->what);
    mb_line_text(line, ": ");
    mb_line_hex(line, (uintptr_t)mistake->address);
    mb_line_text(line, " (");
    mb_line_text(line, mistake->called);
    if (mistake->given != NULL) add_number(line, ", ", *mistake->given, " bytes given");
    if (mistake->given_align != 0) add_number(line, ", alignment ", mistake->given_align, " given");
    add_place(line, mistake);
    mb_line_text(line, ")");
}

MB_COLD void mb_mistake_tell(const struct mb_mistake *mistake) {
    struct mb_line line = {0};
    add_all(&line, mistake);
    mb_line_write(&line, STANDARD_ERROR);
}

MB_COLD _Noreturn void mb_mistake_end(const struct mb_mistake *mistake) {
    struct mb_line line = {0};
    add_all(&line, mistake);
    mb_fatal_line(&line);
}
