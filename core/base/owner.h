// "May be handed over, may not be shared", watched in check builds: a member of one owner thread remembers the first
// thread that uses it and ends the process with one line when a second one comes without a hand-over.
//
// Who: the thread that uses the member; mb_owner_hand_over is for the thread that gives it away.
// Costs nothing in release builds but four bytes.
#ifndef MB_CORE_BASE_OWNER_H
#define MB_CORE_BASE_OWNER_H

#include <stdint.h>

#include "core/base/config.h"
#include "platform/compiler.h"

struct mb_owner {
    uint32_t thread; // mb_thread_number of the owner, 0: the next one who comes; relaxed, any thread
};

void mb_owner_check_slow(struct mb_owner *owner, const void *member);

// The first caller becomes the owner. `member` is named in the line.
MB_INLINE void mb_owner_check(struct mb_owner *owner, const void *member) {
    if (MB_CHECKS) mb_owner_check_slow(owner, member);
}

// The next thread that uses the member becomes its owner. Whatever passes the member to that thread orders their
// accesses.
MB_INLINE void mb_owner_hand_over(struct mb_owner *owner) { __atomic_store_n(&owner->thread, 0, __ATOMIC_RELAXED); }

#endif
