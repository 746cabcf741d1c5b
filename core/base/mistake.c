#include "core/base/mistake.h"

#include <stdbool.h>

#include "core/base/check.h"
#include "core/base/print.h"
#include "platform/os.h"
#include "platform/thread.h"

enum { STANDARD_ERROR = 2 };

enum mb_on_error mb_mistake_policy MB_SEALED;

static struct {
    uint64_t survived; // monotone; any thread, relaxed (__atomic)
} mistake_shared;

uint64_t mb_mistake_count(void) { return __atomic_load_n(&mistake_shared.survived, __ATOMIC_RELAXED); }

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
        bool before = inside > PTRDIFF_MAX, behind = !before && inside >= mistake->bytes;
        add_number(line, ", ",
                   before   ? 0 - inside
                   : behind ? inside - mistake->bytes
                            : inside,
                   before   ? " bytes before the block of "
                   : behind ? " bytes behind the block of "
                            : " bytes into the block of ");
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
    if (mistake->ago != NULL) add_number(line, ", freed ", mistake->freed_ago, mistake->ago);
    if (!mb_thread_is_only()) add_number(line, ", thread ", (size_t)mb_os_thread_id(), "");
    mb_line_text(line, ")");
}

MB_COLD void mb_mistake_tell(const struct mb_mistake *mistake) {
    struct mb_line line = {0};
    add_all(&line, mistake);
    mb_line_write(&line, STANDARD_ERROR);
    if (mistake->more != NULL) mistake->more(mistake->context);
}

MB_COLD void mb_mistake_meet(const struct mb_mistake *mistake) {
    if (mb_mistake_policy == MB_ON_ERROR_ABORT) mb_mistake_end(mistake);
    __atomic_fetch_add(&mistake_shared.survived, 1, __ATOMIC_RELAXED);
    if (mb_mistake_policy == MB_ON_ERROR_LOG) mb_mistake_tell(mistake);
}

MB_COLD void mb_mistake_say(const struct mb_mistake *mistake) {
    struct mb_line line = {0};
    add_all(&line, mistake);
    mb_fatal_say(&line);
    if (mistake->more != NULL) mistake->more(mistake->context);
}

MB_COLD _Noreturn void mb_mistake_end(const struct mb_mistake *mistake) {
    mb_mistake_say(mistake);
    mb_os_abort();
}
