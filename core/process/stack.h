// The call stack of the calling thread, as return addresses in a fixed array.
//
// What: mb_stack_capture walks the stack by the unwind tables that every x86-64 and aarch64 program has for C++
// exceptions: by cached rows (core/process/stack_rows.h), or in cases that these do not cover by a private copy of
// libgcc's unwinder. With the option stack_walk=frames it follows frame pointers from the library's caller on: faster,
// but right only in programs compiled with -fno-omit-frame-pointer. (Not if the library is linked into the program,
// where it cannot tell which frames are its own.) The walk stops at code without tables (of just-in-time compilers) and
// at addresses outside loaded objects. It never allocates and, with glibc 2.35 or later, takes no lock: objects are
// found by _dl_find_object. With an older glibc, and with musl, they are found by dl_iterate_phdr, which takes the
// loader's lock. If a process forks while another thread is inside dlopen, the child could wait for that lock forever;
// so there a forked child of a process with several threads has no stacks (mb_stack_capture returns 0).
// Who: any thread, also in signal handlers and forked children. It takes 3 KiB of stack.
#ifndef MB_CORE_PROCESS_STACK_H
#define MB_CORE_PROCESS_STACK_H

#include <stdint.h>

enum { MB_STACK_MOST = 64 };

// Stores the innermost `most` (at most MB_STACK_MOST) return addresses, innermost first, without frames of this library
// if it is an object of its own. Returns their number; 0: the stack could not be walked. An address is where a call
// returns to, so the call itself is before it.
unsigned mb_stack_capture(uintptr_t *out, unsigned most);

// The same by libgcc's unwinder alone.
unsigned mb_stack_by_unwinder(uintptr_t *out, unsigned most);

#endif
