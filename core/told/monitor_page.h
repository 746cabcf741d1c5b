// The shared page by which the `mbmalloc` command asks a running process: a file (mode 0600) that both map.
//
//   request      raised by the tool, after command and argument; the process answers and copies it to `answered`
//
// What: the layout and the commands. Both sides only read and write words, and the process never takes an address from
// the page, so the tool cannot make it write anywhere.
// Who: one tool at a time (it locks the file), and whichever thread of the process answers.
#ifndef MB_CORE_TOLD_MONITOR_PAGE_H
#define MB_CORE_TOLD_MONITOR_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/told/statistics.h"

enum { MB_MONITOR_VERSION = 3, MB_MONITOR_CLASSES = 72, MB_MONITOR_THREADS = 8, MB_MONITOR_UNITS = 1 << 16 };
static const char MB_MONITOR_MAGIC[8] = "mbmonit";

enum mb_monitor_command {
    MB_MONITOR_STATISTICS = 1, // fills `statistics`, `classes`, `threads` and `text`
    MB_MONITOR_TRIM,           // gives back what is free; `number`: bytes
    MB_MONITOR_MAP,            // fills `units` from unit `argument` on; `number`: units in all
    MB_MONITOR_SET,            // sets the options in `text`; `number`: 1 when they were good
    MB_MONITOR_PROFILE_START, // begins to sample a block in `argument` bytes; `number`: 1, or 0 where that ran already, else an errno value
    MB_MONITOR_PROFILE_MARK,  // what is allocated from now on counts as growth
    MB_MONITOR_PROFILE_WRITE, // writes a file beside the page's: `text` is its name, `number` 0 or an errno value
    MB_MONITOR_PROFILE_STOP,
};

enum mb_monitor_unit_kind { MB_MAP_FREE, MB_MAP_SLAB, MB_MAP_LARGE, MB_MAP_HOLE, MB_MAP_KEPT };
enum { MB_MAP_WARM = 1, MB_MAP_AGED = 2, MB_MAP_OWNED = 4 };

struct mb_monitor_unit {
    uint8_t kind;        // enum mb_monitor_unit_kind
    uint8_t class_index; // of a slab
    uint8_t full;        // live bytes in 255ths
    uint8_t flags;       // MB_MAP_WARM: has been used and not given back; AGED: free for a tick; OWNED: a thread has it
    uint8_t resident;    // pages that are there, in 255ths
    uint8_t spare[3];
};

struct mb_monitor_shared {
    char magic[8];
    uint32_t version, pid;
    char library[64];            // version of the library
    uint64_t base;               // address of unit 0
    _Atomic uint32_t asker;      // the process id of the tool that asks
    _Atomic uint32_t request;    // futex word
    _Atomic uint32_t answered;   // futex word
    _Atomic uint32_t has_thread; // 1: a thread waits for requests; else the next slow call of malloc answers
    uint32_t command;
    uint64_t argument, number;
    struct mb_statistics statistics;
    struct mb_class_statistics classes[MB_MONITOR_CLASSES];
    struct mb_thread_statistics threads[MB_MONITOR_THREADS]; // those that hold most; `thread` 0: there are no more
    char text[1024];
    struct mb_monitor_unit units[MB_MONITOR_UNITS];
};

#endif
