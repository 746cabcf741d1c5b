// A bump arena that any number of threads carve at once, without a lock.
//
// What: as bump.h, with an atomic cursor. Over memory that is committed on demand, `commit` is called before the cursor
// moves: a refused commit has nothing to take back. It cannot free a single block.
// Who: any thread, except mb_bump_shared_init and _reset.
// Invariant: base <= next <= end; when a commit function is set, it has said yes to everything in front of `next`.
#ifndef MB_CORE_BASE_BUMP_SHARED_H
#define MB_CORE_BASE_BUMP_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

// Makes the first `upto` bytes of the arena usable; true when they are. Called by any thread, for amounts in any order,
// and for amounts that are usable already (which should be cheap). May raise `usable`, so as not to be called for less.
typedef bool mb_commit_function(void *context, size_t upto);

struct mb_bump_shared {
    uintptr_t base, end;        // constants
    mb_commit_function *commit; // constant; NULL: all of it is usable
    void *context;              // constant
    _Atomic uintptr_t usable;   // in front of this nobody asks `commit`; raised by it (release), read by any thread (acquire)
    // Alone on its cache line. Written by any thread (CAS), read by any. Relaxed: it guards no memory but the right to
    // addresses; how a block's contents reach another thread is the business of those who pass the pointer.
    MB_CACHE_ALIGNED _Atomic uintptr_t next;
};
_Static_assert(sizeof(struct mb_bump_shared) == 128, "the cursor has a cache line of its own");

MB_PUBLIC_BEGIN

// [base, base + bytes) must not wrap. Before any sharing.
void mb_bump_shared_init(struct mb_bump_shared *bump, void *base, size_t bytes, mb_commit_function *commit, void *context);

// `bytes` (not 0) bytes aligned to `align` (a power of two). NULL when it does not fit or the commit was refused; the
// arena is then as it was. Any thread.
void *mb_bump_shared_alloc(struct mb_bump_shared *bump, size_t bytes, size_t align);

// Forgets all blocks. No other thread may use the arena meanwhile.
void mb_bump_shared_reset(struct mb_bump_shared *bump);

// Bytes in front of the cursor; exact when no other thread allocates. Any thread.
size_t mb_bump_shared_used(const struct mb_bump_shared *bump);

MB_PUBLIC_END

#endif
