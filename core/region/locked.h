// A region for secrets: never in swap, in a core dump, in a forked child, or in memory that is used again.
//
//   |  guard  |.mark.|== blocks ==>  zero .......|  guard  |
//             ^ 64 bytes of its own ^ base        ^ base + capacity
//
// What: mapped and locked, or an error: it never falls back to memory that could be swapped out. A bump cursor carves;
// what is given up (deallocate, shrink, grow that moves, rewind, reset, drop) is overwritten at once. A freed block is
// not used again, unless it is the newest. In a forked child the memory reads zero and is no longer locked: there every
// call fails until mb_locked_relock.
// Who: one owner thread at a time; may be handed over whole, never shared.
// Invariant: every byte that is in no live block is zero; a call that fails has changed nothing but the last error.
#ifndef MB_CORE_REGION_LOCKED_H
#define MB_CORE_REGION_LOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/allocator.h"
#include "core/base/bump.h"
#include "core/base/error.h"
#include "core/base/owner.h"
#include "platform/access.h"

// All sizes in bytes. Read through the functions below.
struct mb_locked {
    struct mb_allocator allocator; // set by mb_locked_new, also when it fails
    struct mb_owner owner;
    struct mb_bump bump;
    uintptr_t mapping;   // the first guard
    size_t mapped;       // from there: guards, mark and blocks
    uint64_t mark;       // what fills the 64 bytes in front of the base
    unsigned access;     // set of enum mb_os_access
    enum mb_error error; // of the last call that failed
    int os_error;        // why the system last refused: a negative errno value, 0 if it never did
    bool taken;          // another member carves the range; nothing is carved here then (MB_FULL)
    uint64_t corruptions; // calls that found the mark overwritten; written by the owner, read by any thread (relaxed)
};

MB_PUBLIC_BEGIN

// At least `bytes`. MB_REFUSED with os_error (-EPERM, -ENOMEM: RLIMIT_MEMLOCK; -EINVAL: a kernel that cannot) when any
// of it is not to be had; nothing stays mapped then.
enum mb_error mb_locked_new(struct mb_locked *locked, size_t bytes);

// Overwrites everything and returns the mapping. Owner thread, as everything below.
enum mb_error mb_locked_drop(struct mb_locked *locked);

// In a forked child: locks the (wiped, empty) memory again. MB_REFUSED if the child may not lock it; MB_BAD_ORDER if
// nothing was wiped, or a member carves the range.
enum mb_error mb_locked_relock(struct mb_locked *locked);

MB_INLINE void mb_locked_hand_over(struct mb_locked *locked) { mb_owner_hand_over(&locked->owner); }

// The region behind the one interface of the family. Its range cannot release pages (they are locked). A member that
// takes it over overwrites nothing when its blocks are freed; all that it touched is overwritten when it is dropped.
MB_INLINE struct mb_allocator *mb_locked_allocator(struct mb_locked *locked) { return &locked->allocator; }

MB_INLINE void *mb_locked_base(const struct mb_locked *locked) { return (void *)locked->bump.base; }
MB_INLINE size_t mb_locked_capacity(const struct mb_locked *locked) { return mb_bump_capacity(&locked->bump); }
MB_INLINE size_t mb_locked_allocated(const struct mb_locked *locked) { return mb_bump_used(&locked->bump); }
MB_INLINE bool mb_locked_contains(const struct mb_locked *locked, const void *p) { return mb_bump_contains(&locked->bump, p); }
MB_INLINE enum mb_error mb_locked_last_error(const struct mb_locked *locked) { return locked->error; }
MB_INLINE int mb_locked_os_error(const struct mb_locked *locked) { return locked->os_error; }

// Zero bytes at a multiple of align (a power of two). NULL on error.
void *mb_locked_allocate(struct mb_locked *locked, size_t bytes, size_t align);

// Overwrites the block. `bytes` is the size that was last requested; MB_BAD_POINTER if p cannot be such a block.
enum mb_error mb_locked_deallocate(struct mb_locked *locked, void *p, size_t bytes);

// As for a region: the newest block is resized in place, another is copied when it grows. Memory that the block no
// longer uses is overwritten.
void *mb_locked_grow(struct mb_locked *locked, void *p, size_t old_bytes, size_t new_bytes, size_t align);
void *mb_locked_shrink(struct mb_locked *locked, void *p, size_t old_bytes, size_t new_bytes);

// Gives up, and overwrites, all blocks; those since the mark (MB_BAD_RANGE when the mark itself was rewound over).
enum mb_error mb_locked_reset(struct mb_locked *locked);
size_t mb_locked_mark(const struct mb_locked *locked);
enum mb_error mb_locked_rewind(struct mb_locked *locked, size_t mark);

// Changes the access to all blocks at once (a set of enum mb_os_access, else MB_BAD_CONFIG): none, read, or read and
// write. While they are not writable every call except this one and drop is MB_UNSUPPORTED.
enum mb_error mb_locked_protect(struct mb_locked *locked, unsigned access);

uint64_t mb_locked_corruption_events(const struct mb_locked *locked); // any thread

// Overwrites memory with zero; the compiler cannot leave it out. Any thread.
void mb_scrub(void *p, size_t bytes);

MB_PUBLIC_END

#endif
