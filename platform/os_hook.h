// A place between the allocator and the system where calls can be made to fail, in tests and in programs that want to know
// how they fare when the system refuses.
//
// What: every function of os.h that changes mappings or contents asks the hook first; what it answers, if not 0, is the
// call's result, and the system is not asked. Costs a load per system call. What os.h itself needs to undo a step is not asked about.
// Who: any thread. One hook for the whole process, the malloc's own calls included.
#ifndef MB_PLATFORM_OS_HOOK_H
#define MB_PLATFORM_OS_HOOK_H

#include <stdatomic.h>
#include <stddef.h>

#include "platform/compiler.h"
#include "platform/os_call.h"

// 0: let it pass; a negative errno value: the call's result. Must not allocate, and may be called by any thread at any time.
typedef int mb_os_hook_function(enum mb_os_call call, size_t bytes);

// NULL: none. Written by anybody, read by every call; release and acquire, so what the hook reads is there before it.
extern MB_HIDDEN _Atomic(mb_os_hook_function *) mb_os_hook;

MB_INLINE void mb_os_hook_set(mb_os_hook_function *hook) { atomic_store_explicit(&mb_os_hook, hook, memory_order_release); }

MB_INLINE int mb_os_hook_ask(enum mb_os_call call, size_t bytes) {
    mb_os_hook_function *hook = atomic_load_explicit(&mb_os_hook, memory_order_acquire);
    return MB_LIKELY(hook == NULL) ? 0 : hook(call, bytes);
}

#endif
