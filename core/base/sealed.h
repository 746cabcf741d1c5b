// Data that is written when the process starts, or rarely, and is read-only otherwise: a stray or malicious write to it
// causes a memory fault.
//
// What: variables marked MB_SEALED lie together on pages of their own. Sealed are function pointers and the variables
// that choose between them: which allocator serves the process, the C library's functions, the options, hooks that
// programs set. Data that changes while the allocator works is not sealed.
// Who: any thread. If the system's pages are larger than MB_SEALED_PAGE_BYTES, nothing is made read-only.
//
//     .data | start   the variables                  | end, what else is writable
//           ^ page    sealed: whole pages            ^ page
#ifndef MB_CORE_BASE_SEALED_H
#define MB_CORE_BASE_SEALED_H

#include <stdbool.h>

#include "platform/compiler.h"

enum { MB_SEALED_PAGE_BYTES = 4096 };

// The code that writes sealed data without mb_sealed_open. The pages become read-only once all of them have finished.
enum mb_sealed_writer { MB_SEALED_START = 1, MB_SEALED_COPIES = 2, MB_SEALED_PAGE_CALLS = 4, MB_SEALED_ALL = 7 };

// Called by each of these writers (the start of the allocator, two constructors) when it has finished. The last call
// makes the pages read-only, by one system call.
void mb_sealed_done(enum mb_sealed_writer writer);

// Between the two calls this thread may write sealed data, but must not allocate. The pages are writable meanwhile, and
// signals are blocked. False: the system has refused, and nothing may be written.
bool mb_sealed_open(void);
void mb_sealed_close(void);

// Called in a forked child, before any other thread exists.
void mb_sealed_recover(void);

#endif
