#include "core/base/check.h"

#include "core/base/print.h"
#include "platform/os.h"

enum { STANDARD_ERROR = 2 };

MB_COLD void mb_warn(const char *what, const void *address) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: ");
    mb_line_text(&line, what);
    mb_line_text(&line, ": ");
    mb_line_hex(&line, (uintptr_t)address);
    mb_line_write(&line, STANDARD_ERROR);
}

MB_COLD _Noreturn void mb_fatal(const char *what, const void *address) {
    mb_warn(what, address);
    mb_os_abort();
}

MB_COLD _Noreturn void mb_assert_failed(const char *condition, const char *file, int source_line) {
    struct mb_line line = {0};
    mb_line_text(&line, "mbmalloc: assertion failed: ");
    mb_line_text(&line, condition);
    mb_line_text(&line, " at ");
    mb_line_text(&line, file);
    mb_line_text(&line, ":");
    mb_line_number(&line, (uint64_t)source_line);
    mb_line_write(&line, STANDARD_ERROR);
    mb_os_abort();
}
