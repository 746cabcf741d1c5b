// Repairs the heap in a forked child, where the threads that do not exist any more may have been stopped at any
// instruction.
//
// What: no lock is taken before fork. A page that the kernel wipes in a child (MADV_WIPEONFORK) shows the child on its
// first slow path that it is one, so _Fork and raw clone are covered too; after vfork the memory is shared, and the
// page is not wiped. After fork(3) a handler looks at the page at once, because the first thread to look keeps its heap
// and takes all others for abandoned: a thread that the child starts must not come first. The child marks the slabs of
// absent owners as orphans. This reads descriptors only, so no page of data is copied; sweeps adopt the orphans one by
// one when their class needs memory. The page is made when a second heap appears or memory is first given back: before
// that only one thread can have been in the middle of anything.
#ifndef MB_CORE_PROCESS_FORK_H
#define MB_CORE_PROCESS_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

// On the page: 1 when this process is known, 0 in a child that has not looked yet. NULL while there is one heap.
struct mb_fork_watch_shared {
    _Atomic(_Atomic uint32_t *) page; // written once (release)
};
extern MB_HIDDEN struct mb_fork_watch_shared mb_fork_watch_shared;

// Registers the handler. From mb_init.
void mb_fork_init(void);
// Makes the page. When the second heap appears.
void mb_fork_watch(void);
void mb_fork_recover_slow(_Atomic uint32_t *page);

MB_INLINE bool mb_fork_is_seen(const _Atomic uint32_t *page) {
    return MB_UNLIKELY(page != NULL) && MB_UNLIKELY(atomic_load_explicit(page, memory_order_acquire) != 1);
}

// Whether mb_fork_check has something to do, for who then goes where it is called.
MB_INLINE bool mb_fork_is_due(void) { return mb_fork_is_seen(atomic_load_explicit(&mb_fork_watch_shared.page, memory_order_acquire)); }

MB_INLINE void mb_fork_check(void) {
    _Atomic uint32_t *page = atomic_load_explicit(&mb_fork_watch_shared.page, memory_order_acquire);
    if (mb_fork_is_seen(page)) mb_fork_recover_slow(page);
}

// Before memory is given back to the system, under a lock that an absent thread of the parent may have held.
MB_INLINE void mb_fork_before_giving(void) {
    mb_fork_check();
    mb_fork_watch();
}

#endif
