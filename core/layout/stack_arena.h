// A stack arena: blocks are freed in the reverse order of their making, one by one.
//
//   base   | frame | block | gap | frame | block |  ...  | frame | newest |      free       |  end
//              ^------ previous -----'      ^-- previous ----'             ^ next
//
// What: a bump arena whose blocks carry a frame in front of them (24 bytes, in the arena itself) that leads to the
// block before. A free of any block but the newest is reported as MB_BAD_ORDER, of a freed one as MB_DOUBLE_FREE (as
// MB_BAD_POINTER once a newer block covers its place), of anything else as MB_BAD_POINTER; a frame of which any bit has
// been overwritten as MB_CORRUPT.
// Who: one owner thread at a time, watched in check builds; mb_stack_arena_hand_over gives it away.
// Invariant: each live frame's check word is E(previous + cursor * odd + own address), see core/harden/link_key.h.
#ifndef MB_CORE_LAYOUT_STACK_ARENA_H
#define MB_CORE_LAYOUT_STACK_ARENA_H

#include "core/harden/link_key.h"
#include "core/layout/bump_arena.h"

struct mb_stack_arena {
    struct mb_allocator allocator;
    struct mb_bump_arena arena;
    uintptr_t newest; // the newest live block, 0 if none
    struct mb_link_key key; // constant
};

MB_PUBLIC_BEGIN

// Over memory of the caller / over the range of another member: as the functions of core/layout/bump_arena.h.
void mb_stack_arena_init(struct mb_stack_arena *stack, void *memory, size_t bytes, enum mb_policy policy);
enum mb_error mb_stack_arena_over(struct mb_stack_arena *stack, struct mb_allocator *base, enum mb_policy policy);
enum mb_error mb_stack_arena_drop(struct mb_stack_arena *stack);
MB_INLINE void mb_stack_arena_hand_over(struct mb_stack_arena *stack) { mb_bump_arena_hand_over(&stack->arena); }

// `bytes` bytes (not 0) at a multiple of align, a power of two. NULL: stack->arena.error says why. Owner thread.
void *mb_stack_arena_allocate(struct mb_stack_arena *stack, size_t bytes, size_t align);

// Frees the newest block. Owner thread.
enum mb_error mb_stack_arena_deallocate(struct mb_stack_arena *stack, void *p);

// Bytes from p to the end of its block, found by a walk from the newest one down; 0: no live block. Owner thread.
size_t mb_stack_arena_usable_size(const struct mb_stack_arena *stack, const void *p);

MB_PUBLIC_END

#endif
