#include "core/base/check.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/print.h"
#include "platform/bits.h"
#include "platform/os.h"

enum { STANDARD_ERROR = 2 };

char mb_abort_message[MB_ABORT_MESSAGE_BYTES];

// The first of several threads that fail at once keeps the word.
static void keep(const struct mb_line *line) {
    static bool kept; // by any thread, atomic
    if (__atomic_exchange_n(&kept, true, __ATOMIC_RELAXED)) return;
    memcpy(mb_abort_message, line->text, mb_min(line->length, MB_ABORT_MESSAGE_BYTES - 1));
}

MB_COLD void mb_fatal_say(struct mb_line *line) {
    keep(line);
    mb_os_block_pipe_signal();
    mb_line_write(line, STANDARD_ERROR);
}

MB_COLD _Noreturn void mb_fatal_line(struct mb_line *line) {
    mb_fatal_say(line);
    mb_os_abort();
}

static void word_line(struct mb_line *line, const char *what, const void *address) {
    mb_line_text(line, "mbmalloc: ");
    mb_line_text(line, what);
    mb_line_text(line, ": ");
    mb_line_hex(line, (uintptr_t)address);
}

MB_COLD void mb_warn(const char *what, const void *address) {
    struct mb_line line = {0};
    word_line(&line, what, address);
    mb_line_write(&line, STANDARD_ERROR);
}

MB_COLD _Noreturn void mb_fatal(const char *what, const void *address) {
    struct mb_line line = {0};
    word_line(&line, what, address);
    mb_fatal_line(&line);
}

MB_COLD _Noreturn void mb_assert_failed(const char *condition, const char *file, int source_line) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: assertion failed: ");
    mb_line_text(&line, condition);
    mb_line_text(&line, " at ");
    mb_line_text(&line, file);
    mb_line_text(&line, ":");
    mb_line_number(&line, (uint64_t)source_line);
    mb_fatal_line(&line);
}
