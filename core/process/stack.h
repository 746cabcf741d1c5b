// The call stack of the calling thread, as return addresses in a fixed array.
//
// What: mb_stack_capture walks the stack by the unwind tables that every x86-64 and aarch64 program has (as C++
// exceptions do): frame by frame from what has been read before (core/process/stack_rows.h), or where something is not
// plain with a private copy of libgcc's unwinder; or, from the library's caller on, by frame pointers, where the option
// stack_walk says so: quicker, and true only for programs that are compiled with -fno-omit-frame-pointer. (Not where
// the library is linked into the program: there it cannot be told where its own frames end.) It stops at code without
// tables (of just-in-time compilers) and at addresses that no loaded object has. It never allocates and, with glibc
// from 2.35 on, takes no lock: objects are found by _dl_find_object. With an older glibc, and with musl, they are found
// by the libc's own dl_iterate_phdr, which takes the loader's lock: a child of a fork that another thread made inside
// dlopen could wait there for ever, so a forked child of several threads has no stacks there (mb_stack_capture gives
// 0).
// Who: any thread, in signal handlers and forked children too. It takes 3 KiB of stack.
#ifndef MB_CORE_PROCESS_STACK_H
#define MB_CORE_PROCESS_STACK_H

#include <stdint.h>

enum { MB_STACK_MOST = 64 };

// The innermost `most` (at most MB_STACK_MOST) return addresses, innermost first, without frames of this library where
// it is an object of its own. How many there are; 0: none can be told. An address is where a call returns to, so the
// call itself is before it.
unsigned mb_stack_capture(uintptr_t *out, unsigned most);

// The same by libgcc's unwinder alone.
unsigned mb_stack_by_unwinder(uintptr_t *out, unsigned most);

#endif
