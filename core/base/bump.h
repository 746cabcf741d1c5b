// A bump arena over any range of addresses.
//
//   base               next                        end
//   |== handed out ====|---------- free -----------|
//
// What: blocks are carved in order by moving a cursor; the last block grows and shrinks in place; marks nest. It
// touches no memory, so whoever commits pages does it between mb_bump_fit and mb_bump_take. It cannot free a single
// block.
// Who: the owner thread. Copying the struct hands the range over: then only the copy may be used.
// Invariant: base <= next <= end. A call that returns false or NULL has changed nothing.
#ifndef MB_CORE_BASE_BUMP_H
#define MB_CORE_BASE_BUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/bits.h"
#include "platform/compiler.h"

struct mb_bump {
    uintptr_t base, next, end;
};

// [base, base + bytes) must not wrap. Owner thread, as everything here.
MB_INLINE void mb_bump_init(struct mb_bump *bump, void *base, size_t bytes) {
    bump->base = bump->next = (uintptr_t)base;
    bump->end = (uintptr_t)base + bytes;
}

// Bytes in front of the cursor, alignment gaps included; bytes behind it; both together.
MB_INLINE size_t mb_bump_used(const struct mb_bump *bump) { return bump->next - bump->base; }
MB_INLINE size_t mb_bump_left(const struct mb_bump *bump) { return bump->end - bump->next; }
MB_INLINE size_t mb_bump_capacity(const struct mb_bump *bump) { return bump->end - bump->base; }

MB_INLINE bool mb_bump_contains(const struct mb_bump *bump, const void *p) {
    return (uintptr_t)p - bump->base < mb_bump_capacity(bump);
}

// Where `bytes` (not 0) aligned to `align` (a power of two; both else refused) would start behind `next` and before
// `end`. Any thread: pure arithmetic.
MB_INLINE bool mb_bump_place(uintptr_t next, uintptr_t end, size_t bytes, size_t align, uintptr_t *start) {
    size_t at;
    if (bytes == 0 || !mb_is_pow2(align) || !mb_align_up_checked(next, align, &at)) return false;
    if (at > end || bytes > end - at) return false;
    *start = at;
    return true;
}

MB_INLINE bool mb_bump_fit(const struct mb_bump *bump, size_t bytes, size_t align, uintptr_t *start) {
    return mb_bump_place(bump->next, bump->end, bytes, align, start);
}

// Hands out what mb_bump_fit has just found.
MB_INLINE void *mb_bump_take(struct mb_bump *bump, uintptr_t start, size_t bytes) {
    bump->next = start + bytes;
    return (void *)start;
}

// Both steps at once, for memory that is usable already. NULL when it does not fit.
MB_INLINE void *mb_bump_alloc(struct mb_bump *bump, size_t bytes, size_t align) {
    uintptr_t start = bump->next;
    // A cursor that is aligned already is predicted, so the next block waits for one addition only. bytes 0 wraps round
    // and fails.
    bool aligned = mb_is_pow2(align) && (start & (align - 1)) == 0;
    if (MB_LIKELY(aligned && bytes - 1 < bump->end - start)) return mb_bump_take(bump, start, bytes);
    return mb_bump_fit(bump, bytes, align, &start) ? mb_bump_take(bump, start, bytes) : NULL;
}

// Whether [p, p + bytes) is what was handed out last, so that it can change its size in place.
MB_INLINE bool mb_bump_is_last(const struct mb_bump *bump, const void *p, size_t bytes) {
    return mb_bump_contains(bump, p) && bytes != 0 && bytes == bump->next - (uintptr_t)p;
}

// Gives the last block a new size (not 0) in place.
MB_INLINE bool mb_bump_resize_last(struct mb_bump *bump, const void *p, size_t old_bytes, size_t new_bytes) {
    if (!mb_bump_is_last(bump, p, old_bytes) || new_bytes == 0) return false;
    if (new_bytes > bump->end - (uintptr_t)p) return false;
    bump->next = (uintptr_t)p + new_bytes;
    return true;
}

// A mark stands for "everything handed out so far". Rewinding to it frees what came later, also what was marked later;
// false for a mark that lies ahead of the cursor (it was rewound over).
MB_INLINE size_t mb_bump_mark(const struct mb_bump *bump) { return mb_bump_used(bump); }
MB_INLINE bool mb_bump_rewind(struct mb_bump *bump, size_t mark) {
    if (mark > mb_bump_used(bump)) return false;
    bump->next = bump->base + mark;
    return true;
}

MB_INLINE void mb_bump_reset(struct mb_bump *bump) { bump->next = bump->base; }

MB_INLINE bool mb_bump_check(const struct mb_bump *bump) {
    return bump->base <= bump->next && bump->next <= bump->end;
}

#endif
