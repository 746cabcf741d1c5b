// A bump arena as a member of the family: blocks in a row, given up together.
//
//   base               next           usable                    end
//   |== handed out ====|-- committed --|---- reserved at most ---|
//
// What: carves any memory of the caller, or the range of another member, which it commits as it goes. The last block
// grows and shrinks in place; scopes nest; reset takes a few stores; zeroed blocks are not cleared where the memory is
// known to be zero. A single block cannot be freed. The hot allocate is inline: no call, no lock.
// Who: one owner thread at a time, watched in check builds; mb_bump_arena_hand_over gives it away.
// Invariant: base <= next <= usable <= end; what lies at and behind both `next` and `dirty` is zero.
// Idea: Hanson, "Fast allocation and deallocation of memory based on object lifetimes" (1990).
#ifndef MB_CORE_LAYOUT_BUMP_ARENA_H
#define MB_CORE_LAYOUT_BUMP_ARENA_H

#include "core/base/allocator.h"
#include "core/base/bump.h"
#include "core/base/owner.h"
#include "core/base/report.h"

struct mb_scope;

struct mb_bump_arena {
    struct mb_allocator allocator;
    struct mb_bump bump;        // the whole range; `next` is the cursor
    uintptr_t usable;           // memory in front of this may be touched
    uintptr_t dirty;            // memory in front of this may be other than zero, whether handed out now or not
    struct mb_allocator *base;  // whose range it is; NULL: plain memory
    struct mb_scope *innermost; // the open scope that was begun last
    struct mb_reports reports;
    struct mb_owner owner;
    enum mb_error error; // of the last call that failed
};

MB_PUBLIC_BEGIN

// --- making one ------------------------------------------------------------------------------------------------------

// Over memory of the caller, which outlives the arena and may hold anything.
void mb_bump_arena_init(struct mb_bump_arena *arena, void *memory, size_t bytes, enum mb_policy policy);

// Over the whole range of another member, taken over until mb_bump_arena_drop. MB_BAD_CONFIG: it has no range, or
// blocks.
enum mb_error mb_bump_arena_over(struct mb_bump_arena *arena, struct mb_allocator *base, enum mb_policy policy);

// Gives all blocks up and the range back. Owner thread, as everything below.
enum mb_error mb_bump_arena_drop(struct mb_bump_arena *arena);

MB_INLINE void mb_bump_arena_hand_over(struct mb_bump_arena *arena) { mb_owner_hand_over(&arena->owner); }

// --- blocks ----------------------------------------------------------------------------------------------------------

void *mb_bump_arena_allocate_slow(struct mb_bump_arena *arena, size_t bytes, size_t align);

// The next multiple of align; UINTPTR_MAX when there is none. Kept a branch of its own.
MB_INLINE uintptr_t mb_bump_arena_align(uintptr_t start, size_t align) {
    size_t rounded;
    __asm__("" : "+r"(start));
    return mb_align_up_checked(start, align, &rounded) ? rounded : UINTPTR_MAX;
}

// `bytes` bytes (not 0) at a multiple of align, a power of two. NULL: arena->error says why, and nothing has changed.
MB_INLINE void *mb_bump_arena_allocate(struct mb_bump_arena *arena, size_t bytes, size_t align) {
    mb_owner_check(&arena->owner, arena);
    uintptr_t start = arena->bump.next;
    // Predicted, so that the cursor of the next block waits for one addition only.
    if (MB_UNLIKELY((start & (align - 1)) != 0)) start = mb_bump_arena_align(start, align);
    // bytes 0 wraps round and fails too.
    if (MB_UNLIKELY(!mb_is_pow2(align) || start > arena->usable || bytes - 1 >= arena->usable - start)) {
        return mb_bump_arena_allocate_slow(arena, bytes, align);
    }
    arena->bump.next = start + bytes;
    return (void *)start;
}

// The same, zero.
void *mb_bump_arena_allocate_zeroed(struct mb_bump_arena *arena, size_t bytes, size_t align);

// `count` elements; a product that overflows is MB_BAD_SIZE.
void *mb_bump_arena_array(struct mb_bump_arena *arena, size_t count, size_t element_bytes, size_t align);
void *mb_bump_arena_array_zeroed(struct mb_bump_arena *arena, size_t count, size_t element_bytes, size_t align);
void *mb_bump_arena_array_copy(struct mb_bump_arena *arena, const void *from, size_t count, size_t element_bytes,
                               size_t align);

#define MB_BUMP_ARENA_NEW(arena, type) ((type *)mb_bump_arena_allocate((arena), sizeof(type), _Alignof(type)))
#define MB_BUMP_ARENA_ARRAY(arena, type, count) \
    ((type *)mb_bump_arena_array((arena), (count), sizeof(type), _Alignof(type)))

// Copies of a string, of at most max_bytes of it; always terminated.
char *mb_bump_arena_strdup(struct mb_bump_arena *arena, const char *text);
char *mb_bump_arena_strndup(struct mb_bump_arena *arena, const char *text, size_t max_bytes);

// --- giving up -------------------------------------------------------------------------------------------------------

// Forgets all blocks; what is committed stays. Open scopes are over.
MB_INLINE void mb_bump_arena_reset(struct mb_bump_arena *arena) {
    mb_owner_check(&arena->owner, arena);
    arena->dirty = mb_max(arena->dirty, arena->bump.next);
    arena->innermost = NULL;
    mb_bump_reset(&arena->bump);
}

// Forgets the blocks made since the mark. MB_BAD_RANGE when the mark itself was rewound over.
MB_INLINE size_t mb_bump_arena_mark(const struct mb_bump_arena *arena) { return mb_bump_mark(&arena->bump); }
enum mb_error mb_bump_arena_rewind(struct mb_bump_arena *arena, size_t mark);

// Gives whole pages behind the cursor back to the system; the next use reads zero. MB_UNSUPPORTED over plain memory.
enum mb_error mb_bump_arena_release(struct mb_bump_arena *arena);

// A scope: blocks made between begin and end live no longer. Scopes nest; the storage is the caller's.
struct mb_scope {
    struct mb_bump_arena *arena;
    struct mb_scope *outer;
    size_t mark;
};
void mb_scope_begin(struct mb_scope *scope, struct mb_bump_arena *arena);
// A scope that is not the innermost open one is reported as MB_BAD_ORDER, and nothing changes.
enum mb_error mb_scope_end(struct mb_scope *scope);

MB_INLINE size_t mb_bump_arena_used(const struct mb_bump_arena *arena) { return mb_bump_used(&arena->bump); }
bool mb_bump_arena_check(const struct mb_bump_arena *arena);

MB_PUBLIC_END

#endif
