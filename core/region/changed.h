// What a program does to the pages of its blocks, by mprotect, madvise, mlock and their kin, ends with the block.
//
// What: the exported wrappers of those calls (preload/page_state.c) note here which units a call touches, before it is
// made. Units so noted do not go back to the arena as they are: a fresh mapping takes their place, which forgets
// everything. Nobody else pays more than a load and a branch. A hint changes nothing but the cost of the pages (huge
// pages, read-ahead, whether a core dump has them): such a block may wait whole for the next request of its length, as
// others do. After any other change it does not.
// Who: any thread, a signal handler and a forked child included: plain atomic stores, no lock. Relaxed, because a block
// has one owner, and who frees it has been told by the thread that changed its pages.
#ifndef MB_CORE_REGION_CHANGED_H
#define MB_CORE_REGION_CHANGED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/region/space.h"
#include "platform/compiler.h"

enum mb_change { MB_CHANGE_NONE, MB_CHANGE_HINT, MB_CHANGE_STATE };

extern MB_HIDDEN struct mb_changed_shared {
    _Atomic bool any MB_PAIR_ALIGNED; // set with the first note. Each free of a large block reads it
} mb_changed_shared;

// Whether a range of any kind reaches into the arena's front / lies in it.
MB_INLINE bool mb_changed_concerns(const void *p, size_t bytes) {
    uintptr_t base = MB_PEEK(mb_space.base);
    return (uintptr_t)p - base < MB_PEEK(mb_space.bytes) || base - (uintptr_t)p < bytes;
}
bool mb_changed_is_inside(const void *p, size_t bytes);

// Notes a change of the part of a range that lies in the front.
void mb_changed_note(const void *p, size_t bytes, enum mb_change change);

// The gravest change of these units.
enum mb_change mb_changed_look(size_t first, size_t units);
MB_INLINE bool mb_changed_any(void) { return MB_UNLIKELY(atomic_load_explicit(&mb_changed_shared.any, memory_order_relaxed)); }
MB_INLINE enum mb_change mb_changed(size_t first, size_t units) {
    return mb_changed_any() ? mb_changed_look(first, units) : MB_CHANGE_NONE;
}

// These units have a fresh mapping.
void mb_changed_forget(size_t first, size_t units);

// Gives units to the arena with a fresh mapping in their place; false when the system refuses that, and they may be
// given as they are.
bool mb_arena_give_renewed(size_t first, size_t units);

#endif
