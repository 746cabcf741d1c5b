// Fault injection: a hook that can make system calls fail, for tests, and for programs that want to try how they behave
// when the system refuses memory.
//
// What: every function of platform/os.h that changes mappings or contents calls the hook first. If the hook returns an
// error, that is the function's result and the system is not asked. Without a hook it costs one load per system call.
// The calls by which platform/os.h undoes a half-done step do not ask the hook.
// Who: any thread. There is one hook for the process, which sees the calls of malloc too.
#ifndef MB_PLATFORM_OS_HOOK_H
#define MB_PLATFORM_OS_HOOK_H

#include <stdatomic.h>
#include <stddef.h>

#include "platform/compiler.h"
#include "platform/os_call.h"

// Returns 0 to let the call pass, or a negative errno value as its result. Must not allocate; called by any thread,
// also by several at once.
typedef int mb_os_hook_function(enum mb_os_call call, size_t bytes);

// The hook; NULL: none. Set with release and loaded with acquire, so that the hook sees what was written before it was
// set.
extern MB_HIDDEN _Atomic(mb_os_hook_function *) mb_os_hook;

// The hook is sealed: between mb_sealed_open and mb_sealed_close (core/base/sealed.h).
MB_INLINE void mb_os_hook_set(mb_os_hook_function *hook) { atomic_store_explicit(&mb_os_hook, hook, memory_order_release); }

MB_INLINE int mb_os_hook_ask(enum mb_os_call call, size_t bytes) {
    mb_os_hook_function *hook = atomic_load_explicit(&mb_os_hook, memory_order_acquire);
    return MB_LIKELY(hook == NULL) ? 0 : hook(call, bytes);
}

#endif
