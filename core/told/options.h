// Options: key=value,key=value from the environment (MBMALLOC_OPTIONS) and from the program (its symbol mb_options),
// read once before the first block is handed out. In secure execution the environment does not count.
//
// What: each value and where it came from. A profile is weaker than any option that is set by itself, the program's
// text is weaker than the environment's. What options there are stands in option_table.h.
// Who: the thread that runs the start writes; later any thread may read, and mb_options_set writes single values.
#ifndef MB_CORE_TOLD_OPTIONS_H
#define MB_CORE_TOLD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/told/option_table.h"
#include "platform/compiler.h"

enum mb_stats_when { MB_STATS_NEVER, MB_STATS_EXIT };

// Where a value came from.
enum mb_option_source { MB_FROM_DEFAULT, MB_FROM_PROFILE, MB_FROM_PROGRAM, MB_FROM_ENVIRONMENT, MB_FROM_API };

enum mb_guard { MB_GUARD_SLABS, MB_GUARD_ALL };
enum mb_sized { MB_SIZED_WARN, MB_SIZED_IGNORE, MB_SIZED_ABORT };

extern MB_HIDDEN struct mb_option_values mb_option;

// A program's own options: `const char *mb_options = "key=value,key=value";`. NULL when it has none.
extern const char *mb_options __attribute__((weak));

// Whether there is any text to read, from either place.
bool mb_options_are_given(void);

// A misspelt key or value is one warning line, and the rest still counts; with `strict` it ends the program. False when
// `only` and `skip` say that this program is not to be served; then nothing is printed and nothing counts.
bool mb_options_init(void);

// The line that `verbose` asks for. `file`: where the library comes from.
void mb_options_say_active(const char *file);

// That `only` or `skip` asks for the C library's malloc, and there is none here.
void mb_options_say_unskipped(void);

// Sets options of a running process; the text is as in the environment. True if every option is known, may change while
// the process runs, and has a valid value; otherwise, or if the system does not let sealed pages be written, none is
// set. Any thread; if two threads set the same option at once, one of the values remains.
bool mb_options_set(const char *text);

enum mb_option_source mb_option_source(const struct mb_option_row *row);

#endif
