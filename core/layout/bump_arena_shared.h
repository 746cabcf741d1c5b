// A bump arena that any number of threads carve at once, as a member of the family.
//
// What: the lock-free cursor of core/base/bump_shared.h over memory of the caller or over the range of another member,
// lazily committed ones included: a chunk is committed before the cursor moves, so a refused commit has nothing to take
// back. Only the thread that commits a further chunk takes a lock. A single block cannot be freed.
// Who: any thread, except for making, reset and drop. A forked child may go on when no other thread was inside.
// Invariant: base <= next <= usable; memory at and behind both `next` and `dirty` is zero.
#ifndef MB_CORE_LAYOUT_BUMP_ARENA_SHARED_H
#define MB_CORE_LAYOUT_BUMP_ARENA_SHARED_H

#include "core/base/allocator.h"
#include "core/base/bump_shared.h"
#include "core/base/lock.h"
#include "core/base/report.h"

struct mb_bump_arena_shared {
    struct mb_allocator allocator;
    struct mb_allocator *base;     // whose range it is; NULL: plain memory. Constant
    uintptr_t dirty;               // memory in front of this may be other than zero. Constant while shared
    struct mb_reports reports;
    enum mb_error error;           // of the last call of any thread that failed; relaxed (__atomic)
    struct mb_bump_shared bump;
    struct mb_lock_shared grow;    // guards the base's commit
    _Atomic uint32_t refused;      // enum mb_error of the last refused commit: any thread, relaxed
};

MB_PUBLIC_BEGIN

// Over memory of the caller, which outlives the arena and may hold anything. Before any sharing.
void mb_bump_arena_shared_init(struct mb_bump_arena_shared *arena, void *memory, size_t bytes, enum mb_policy policy);

// Over the whole range of another member, taken over until mb_bump_arena_shared_drop. MB_BAD_CONFIG: it has no range,
// or blocks. Before any sharing.
enum mb_error mb_bump_arena_shared_over(struct mb_bump_arena_shared *arena, struct mb_allocator *base,
                                        enum mb_policy policy);

// `bytes` bytes (not 0) at a multiple of align, a power of two; zero. NULL: the arena is as it was. Any thread.
void *mb_bump_arena_shared_allocate(struct mb_bump_arena_shared *arena, size_t bytes, size_t align);
void *mb_bump_arena_shared_allocate_zeroed(struct mb_bump_arena_shared *arena, size_t bytes, size_t align);

// Forgets all blocks; what is committed stays / gives the range back too. No other thread uses the arena meanwhile.
void mb_bump_arena_shared_reset(struct mb_bump_arena_shared *arena);
enum mb_error mb_bump_arena_shared_drop(struct mb_bump_arena_shared *arena);

MB_PUBLIC_END

#endif
