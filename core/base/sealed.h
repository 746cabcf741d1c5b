// Data that is written at the start, or seldom, and read-only otherwise: a stray or malicious write to it is a memory
// fault.
//
// What: variables marked MB_SEALED lie together on pages of their own. Sealed are pointers to code, and what chooses
// among them: who serves the process, the C library's functions, the options, hooks that programs set. Not sealed: what
// changes as the allocator works.
// Who: any thread. Where the system's pages are larger than MB_SEALED_PAGE_BYTES nothing is read-only.
//
//     .data | start   the variables                  | end, what else is writable
//           ^ page    sealed: whole pages            ^ page
#ifndef MB_CORE_BASE_SEALED_H
#define MB_CORE_BASE_SEALED_H

#include <stdbool.h>

#include "platform/compiler.h"

enum { MB_SEALED_PAGE_BYTES = 4096 };

// Who writes without mb_sealed_open, and must have done so before anything is read-only.
enum mb_sealed_writer { MB_SEALED_START = 1, MB_SEALED_COPIES = 2, MB_SEALED_PAGE_CALLS = 4, MB_SEALED_ALL = 7 };

// One of them is done: the start of the allocator, two constructors. The last one makes the pages read-only, by one
// system call.
void mb_sealed_done(enum mb_sealed_writer writer);

// Between the two this thread may write: no call that allocates. The pages are writable meanwhile, and no signal is
// handled. False: the system refuses, and nothing may be written.
bool mb_sealed_open(void);
void mb_sealed_close(void);

// In a forked child, before any other thread exists.
void mb_sealed_recover(void);

#endif
