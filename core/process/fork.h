// What a forked child finds: heaps of threads that do not exist in it, stopped at any instruction.
//
// What: no lock is taken before fork. A page that the kernel wipes in a child (MADV_WIPEONFORK) tells the child on its first
// slow path, so _Fork and raw clone are covered too; a child that shares memory (vfork) sees it unchanged. After fork(3) a handler
// looks at the page at once, in the thread that survived: a thread that the child starts must not be the first to look, because
// whoever looks keeps his heap and takes every other for left behind.
// The child marks the slabs of the absent owners as orphans (reading descriptors only, so that no data page is copied); a sweep
// adopts them one by one when their class needs memory.
// The page is made when the second heap appears or memory is first given back, which threads without a heap do, too: until then only
// the one heap's thread can have been in the middle of anything. Where another thread forks, the handler knows by its having no heap.
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
