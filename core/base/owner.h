// One owner thread at a time, told in check builds.
//
// What: what belongs to a thread carries a struct mb_owner. The first thread that uses it becomes its owner; another one may use it only
// after the owner has let go (a hand-over). Release builds neither compare nor store: the rule is the caller's. The
// comparing half is core/base/owner_check.h.
// Who: the owner; between mb_owner_let_go and the next use nobody. How the thing itself reaches the next thread (a queue, a join)
// orders its memory, not this.
// Invariant: in check builds a second thread that uses what it was not handed ends the process with one line.
#ifndef MB_CORE_BASE_OWNER_H
#define MB_CORE_BASE_OWNER_H

#include <stdint.h>

#include "platform/compiler.h"

struct mb_owner {
    uintptr_t thread; // 0: whoever comes next
};

MB_INLINE void mb_owner_let_go(struct mb_owner *owner) { __atomic_store_n(&owner->thread, 0, __ATOMIC_RELEASE); }

#endif
