// The process's malloc as a member of the family: whatever the names malloc and free lead to, be it the libc's, ours
// where this library serves the process, or another's in front of it.
//
// What: allocates, frees, knows the usable size. What foreign pointers do is up to that malloc; it cannot be asked
// whether a pointer is its own, so the member does not claim to know.
// Who: any thread. The malloc itself (core/front) never uses this member.
#ifndef MB_CORE_LAYOUT_SYSTEM_SHARED_H
#define MB_CORE_LAYOUT_SYSTEM_SHARED_H

#include "core/base/allocator.h"

struct mb_system_shared {
    struct mb_allocator allocator;
    enum mb_error error; // of the last call of any thread that failed; relaxed (__atomic)
};

MB_PUBLIC_BEGIN

// Nothing to give back, however often: mb_allocator_drop only says goodbye.
void mb_system_shared_init(struct mb_system_shared *system);

MB_PUBLIC_END

#endif
