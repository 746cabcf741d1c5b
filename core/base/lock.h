// A futex lock for rare operations, such as growing the arena. Waiters sleep.
//
// What: it is never held across a call that may enter the allocator again, and never taken before fork. A forked child
// resets it, so the data that it guards must be valid after any prefix of the holder's stores.
// Who: any thread. Source of the three-state word: Ulrich Drepper, "Futexes Are Tricky".
#ifndef MB_CORE_BASE_LOCK_H
#define MB_CORE_BASE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// Ranks: a thread may take a lock only while it holds none of the same or a higher rank (asserted in check builds).
enum mb_lock_rank {
    MB_RANK_LAYER = 1,
    MB_RANK_MEMBER,
    MB_RANK_HARDENED,
    MB_RANK_WAITING,
    MB_RANK_BACKGROUND,
    MB_RANK_SHORTAGE,
    MB_RANK_ARENA,
    MB_RANK_FRONT,
    MB_RANK_COUNT
};

struct mb_lock_shared {
    _Atomic uint32_t word; // 0 free, 1 held, 2 held and waited for; written by any thread, pairs acquire with release
    enum mb_lock_rank rank;
};

void mb_lock(struct mb_lock_shared *lock);
bool mb_try_lock(struct mb_lock_shared *lock); // false: it is held
void mb_unlock(struct mb_lock_shared *lock);
// In a forked child, before any other thread exists.
void mb_lock_reset(struct mb_lock_shared *lock);

#endif
