// Checks. MB_REQUIRE is for what a user can get wrong and is always on; MB_ASSERT is for what we can get wrong, acts in
// check builds and is type-checked everywhere.
#ifndef MB_CORE_BASE_CHECK_H
#define MB_CORE_BASE_CHECK_H

#include "core/base/config.h"
#include "platform/compiler.h"

// Writes `mbmalloc: <what>: 0x<address>` as one line to stderr and ends the process by SIGABRT. Never allocates.
_Noreturn void mb_fatal(const char *what, const void *address);

// The message with which the library has ended the process, for debuggers and core dumps (`print mb_abort_message`);
// else empty.
enum { MB_ABORT_MESSAGE_BYTES = 512 };
extern MB_EXPORT char mb_abort_message[MB_ABORT_MESSAGE_BYTES];

// The same with any line / only its first part: the process lives on until mb_os_abort.
struct mb_line;
void mb_fatal_say(struct mb_line *line);
_Noreturn void mb_fatal_line(struct mb_line *line);

// Writes the same line as mb_fatal and goes on.
void mb_warn(const char *what, const void *address);

_Noreturn void mb_assert_failed(const char *condition, const char *file, int line);

#define MB_REQUIRE(condition, what, address) \
    do { \
        if (MB_UNLIKELY(!(condition))) mb_fatal((what), (address)); \
    } while (0)

#define MB_ASSERT(condition) \
    do { \
        if (MB_CHECKS && MB_UNLIKELY(!(condition))) mb_assert_failed(#condition, __FILE__, __LINE__); \
    } while (0)

#endif
