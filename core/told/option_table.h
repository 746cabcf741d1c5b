// The table of options: one line each, from which come the record of values, the parser, the help text and the manual
// page.
//
// What: NUMBER(name, kind, default, minimum, maximum, choices, when, help) and TEXT(name, what, when, help). `choices`
// are the words of a CHOICE, its value is the index; elsewhere "". `when` LIVE: mb_options_set may change it in a
// running process. A new option is one line here, and `scripts/options-manual --update` for the manual page. A new
// profile is one line of MB_PROFILE_TABLE: the values of other options that it stands for. Limits on lengths: struct
// mb_option_row.
// Who: constant. Without pointers, so that a process that sets no option relocates and touches none of it.
#ifndef MB_CORE_TOLD_OPTION_TABLE_H
#define MB_CORE_TOLD_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

enum mb_option_kind {
    MB_OPTION_SWITCH,      // 0 or 1, off or on, no or yes, false or true
    MB_OPTION_AUTO_SWITCH, // one of these, or auto: MB_OPTION_AUTO
    MB_OPTION_COUNT,       // a number
    MB_OPTION_BYTES,       // a number of bytes; K, M, G, T are powers of 1024
    MB_OPTION_SHARE,       // a number of bytes, or 1 % to 100 % of the control group's memory limit
    MB_OPTION_TIME_MS,     // milliseconds; ms, s, min
    MB_OPTION_CHOICE,      // one of some words
    MB_OPTION_TEXT,        // a path, a list of names
};

enum { MB_OPTION_AUTO = 2 };

enum mb_option_when { MB_OPTION_START, MB_OPTION_LIVE };

// A profile's row stands for these options, unless they are set themselves, wherever they stand in the text.
#define MB_PROFILE_TABLE(PROFILE)                                                                                                          \
    PROFILE(balanced, "", "what the other options say by default")                                                                         \
    PROFILE(speed, "purge_delay_ms=10s,huge_pages=on", "keeps freed memory for 10 s, asks for huge pages where the heap grows")            \
    PROFILE(lowmem, "purge_delay_ms=100ms,huge_pages=off", "gives freed memory back after a tenth of a second, asks for no huge pages")    \
    PROFILE(hardened, "hardened=on,sized=abort", "finds overflows and use after free, at about twice the time malloc takes")               \
    PROFILE(debug, "hardened=on,sized=abort,stacks=16,check=exit",                                                                         \
            "hardened, and where each block was made and freed, for finding faults; slow")

#define MB_PROFILE_WORD(name, values, help) #name " "

#define MB_OPTION_TABLE(NUMBER, TEXT)                                                                                                      \
    NUMBER(background, SWITCH, 1, 0, 1, "", START, "a helper thread gives memory back while two or more threads have heaps")               \
    NUMBER(check, CHOICE, 0, 0, 0, "never exit", START, "hardened, exit: look at every block and free slot when the process ends")         \
    NUMBER(guard, CHOICE, 0, 0, 0, "slabs all", START, "hardened, all: every block ends at a page that cannot be touched; 64 KiB each")    \
    NUMBER(guard_rate, COUNT, 0, 0, 1000000000, "", START,                                                                                 \
           "not 0: one in so many refills is a block between guard pages; faults are told with their calls. 5000 costs 1 to 3 %")          \
    NUMBER(heap_profile, BYTES, 0, 0, 256 << 20, "", START,                                                                                \
           "not 0: note the call stack of one block in so many bytes (512K costs little): mbmalloc(1), prof and top")                      \
    TEXT(heap_profile_file, "path", LIVE, "write the heap profile to this file when the process ends; %p is the process id")               \
    NUMBER(hardened, SWITCH, 0, 0, 1, "", START, "canaries, random places, delayed reuse, guard pages, zeroed freed blocks: mbmalloc(3)")  \
    NUMBER(huge_pages, AUTO_SWITCH, MB_OPTION_AUTO, 0, MB_OPTION_AUTO, "", START,                                                          \
           "ask for huge pages where the heap grows: auto: from 32 MiB on, while its blocks are written; 1: from 16 MiB on")               \
    NUMBER(on_error, CHOICE, 0, 0, 0, "abort count log", START,                                                                            \
           "a mistake with a pointer: one line and the end; the call does nothing, silent or after the line")                              \
    NUMBER(purge_delay_ms, TIME_MS, 1000, 0, 3600000, "", LIVE, "free pages older than this go back to the system")                        \
    NUMBER(leaks, COUNT, 0, 0, 1000, "", START,                                                                                            \
           "with stacks: print where blocks were made that live when the process ends, so many places at most")                            \
    NUMBER(limit, SHARE, 0, 0, UINT64_C(1) << 50, "", START,                                                                               \
           "not 0: allocations fail with ENOMEM when more memory would be held; a share is one of the control group's limit")              \
    NUMBER(soft_limit, SHARE, 0, 0, UINT64_C(1) << 50, "", START,                                                                          \
           "not 0: all free memory goes back to the system, at most once a second, while more is held")                                    \
    NUMBER(profile, CHOICE, 0, 0, 0, MB_PROFILE_TABLE(MB_PROFILE_WORD), START, "a row of values for other options; see below")             \
    NUMBER(quarantine, BYTES, 16 << 10, 0, 1 << 20, "", START,                                                                             \
           "hardened: freed blocks of a size class that wait, for each thread; 64 at least")                                               \
    NUMBER(quarantine_large, BYTES, UINT64_C(256) << 20, 0, UINT64_C(1) << 40, "", START,                                                  \
           "hardened: addresses of freed large blocks that wait")                                                                          \
    NUMBER(seed, COUNT, 0, 0, UINT32_MAX, "", START,                                                                                       \
           "not 0: addresses and keys follow from it, so that a run can be repeated; not for production")                                  \
    NUMBER(sized, CHOICE, 0, 0, 0, "warn ignore abort", LIVE,                                                                              \
           "a sized free with a wrong size, malloc_usable_size of no live block: one line a process, nothing, the end")                    \
    NUMBER(stack_walk, CHOICE, 0, 0, 0, "tables frames", START,                                                                            \
           "how call stacks are found: by unwind tables, or by frame pointers where the program is compiled with them")                    \
    NUMBER(stacks, COUNT, 0, 0, 32, "", START, "hardened: keep so many calls of where each block was made and freed; reports tell them")   \
    NUMBER(stats, CHOICE, 0, 0, 0, "never exit", LIVE, "exit: print statistics on stderr when the process ends")                           \
    NUMBER(stats_format, CHOICE, 0, 0, 0, "text json prometheus", LIVE,                                                                    \
           "in which form; stats_file takes a line of a few numbers for text")                                                             \
    TEXT(stats_file, "path", LIVE, "append statistics to this file when the process ends")                                                 \
    TEXT(only, "names", START, "serve only programs with these names; in others the C library's malloc serves")                            \
    TEXT(skip, "names", START, "do not serve programs with these names: the C library's malloc does")                                      \
    NUMBER(monitor, SWITCH, 0, 0, 1, "", START,                                                                                            \
           "let mbmalloc(1), run by the same user, ask this process; adds a file and a sleeping thread")                                   \
    NUMBER(names, SWITCH, 0, 0, 1, "", START, "name the library's mappings in /proc/PID/maps, where the kernel can")                       \
    NUMBER(verbose, SWITCH, 0, 0, 1, "", START, "print one line at the start: version, file, options in force")                            \
    NUMBER(strict, SWITCH, 0, 0, 1, "", START, "an unknown option or a bad value ends the program, with status 78")                        \
    NUMBER(show, SWITCH, 0, 0, 1, "", START, "print every option's value and where it came from; the program runs on")                     \
    NUMBER(help, SWITCH, 0, 0, 1, "", START, "print what options there are; the program runs on")

enum { MB_OPTION_TEXT_BYTES = 256 };

// In the value of a SHARE: the rest is per cent.
#define MB_OPTION_SHARE_FLAG (UINT64_C(1) << 63)

struct mb_option_values {
#define MB_NUMBER_FIELD(name, kind, normal, min, max, choices, when, help) uint64_t name;
#define MB_TEXT_FIELD(name, what, when, help) char name[MB_OPTION_TEXT_BYTES];
    MB_OPTION_TABLE(MB_NUMBER_FIELD, MB_TEXT_FIELD)
#undef MB_NUMBER_FIELD
#undef MB_TEXT_FIELD
};

struct mb_option_row {
    char name[20];
    char choices[80]; // words, each followed by a space; a TEXT: what it is
    char help[120];
    uint8_t kind;    // enum mb_option_kind
    uint8_t when;    // enum mb_option_when
    uint16_t offset; // of the value in struct mb_option_values
    uint64_t normal, min, max;
};

struct mb_profile_row {
    char name[20];
    char values[120]; // in the form of MBMALLOC_OPTIONS
    char help[120];
};

enum mb_option_index {
#define MB_NUMBER_INDEX(name, kind, normal, min, max, choices, when, help) MB_OPTION_INDEX_##name,
#define MB_TEXT_INDEX(name, what, when, help) MB_OPTION_INDEX_##name,
    MB_OPTION_TABLE(MB_NUMBER_INDEX, MB_TEXT_INDEX)
#undef MB_NUMBER_INDEX
#undef MB_TEXT_INDEX
        MB_OPTION_ROWS,
};

enum mb_profile {
#define MB_PROFILE_INDEX(name, values, help) MB_PROFILE_##name,
    MB_PROFILE_TABLE(MB_PROFILE_INDEX)
#undef MB_PROFILE_INDEX
        MB_PROFILE_ROWS,
};

extern MB_HIDDEN const struct mb_option_row mb_option_rows[MB_OPTION_ROWS];
extern MB_HIDDEN const struct mb_profile_row mb_profile_rows[MB_PROFILE_ROWS];

#endif
