// The growing front of a window of address space.
//
//   base            committed        mapped                      base + capacity
//   |== may be used ==|-- reserved --|   not ours yet                  |
//
// What: [0, mapped) is reserved without access rights, in pieces that add a quarter; [0, committed) may be touched.
// Both marks only rise. Commit goes forward in steps that grow with the front, from 64 KiB to 8 MiB: never a call per
// page, and small for a small heap (a huge page cannot form, locked memory is not made resident far ahead).
// Who: any thread; growing takes a lock that a forked child resets. Reading the marks needs none.
// Invariant: committed <= mapped <= capacity, all multiples of the page size.
#ifndef MB_CORE_REGION_LAZY_H
#define MB_CORE_REGION_LAZY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/lock.h"
#include "platform/compiler.h"

struct mb_lazy_shared {
    uintptr_t base;            // constant once set
    size_t capacity;           // bytes, constant once set
    size_t piece_cap_bytes;    // largest reservation at once (an eighth of a finite RLIMIT_AS), constant once set
    bool small_pages;          // never huge pages: little of it is touched, here and there; constant once set
    bool large_steps;          // of gigabytes a sixty-fourth is committed at once, up to 64 MiB; constant once set
    _Atomic size_t mapped;     // bytes; written under the lock (release), read by any thread (acquire)
    _Atomic size_t committed;  // bytes; written under the lock after the commit succeeded (release), read by any thread (acquire)
    _Atomic size_t reserving;  // where `mapped` will be when the reservation under way succeeds, else 0; under the lock
    struct mb_lock_shared grow;
};

MB_INLINE size_t mb_lazy_committed(const struct mb_lazy_shared *lazy) {
    return atomic_load_explicit(&lazy->committed, memory_order_acquire);
}

MB_INLINE size_t mb_lazy_mapped(const struct mb_lazy_shared *lazy) {
    return atomic_load_explicit(&lazy->mapped, memory_order_acquire);
}

// Sets up a window that starts at `base` of which the first `mapped` bytes are already reserved. Before any sharing.
void mb_lazy_init(struct mb_lazy_shared *lazy, uintptr_t base, size_t capacity, size_t mapped);

// Names what will be reserved, in /proc/PID/maps. For three windows at most, before their mb_lazy_init.
void mb_lazy_set_name(struct mb_lazy_shared *lazy, const char *name);

// What is committed from now on gets no huge pages (MADV_NOHUGEPAGE), as where the system gives them unasked. Of one
// front. Any thread; once it is so it stays so.
void mb_lazy_grow_small(const struct mb_lazy_shared *lazy);

// Makes [0, bytes) usable, usually somewhat more. Any thread. 0, or -ENOMEM (refused, or beyond the capacity), or
// -EEXIST if a foreign mapping is in the next piece of the window; the marks then stand where the last success left
// them.
int mb_lazy_commit(struct mb_lazy_shared *lazy, size_t bytes);

// In a forked child, alone: frees the lock, and finishes a reservation that an absent thread had just made but not
// noted.
void mb_lazy_recover(struct mb_lazy_shared *lazy);

// After -EEXIST: gives up `bytes` behind the mapped mark as a hole and moves both marks behind it. What was reserved
// but not committed is committed or also given up. Returns the offset at which the hole begins (the old committed
// mark). The caller never uses the hole. False when the window ends before.
bool mb_lazy_skip(struct mb_lazy_shared *lazy, size_t seen_mapped, size_t bytes, size_t *hole_begin);

#endif
