#include "core/layout/stack_arena.h"

#include <string.h>

#include "core/base/check.h"

struct frame {
    uintptr_t previous; // the block made before, 0 if none
    uintptr_t cursor;   // where the arena's cursor was
    uint64_t check;
};

static const uint64_t ODD = UINT64_C(0x9e3779b97f4a7c15);

static struct mb_stack_arena *of(struct mb_allocator *a) { return (struct mb_stack_arena *)a; }
static const struct mb_stack_arena *view(const struct mb_allocator *a) { return (const struct mb_stack_arena *)a; }

static struct frame *frame_of(uintptr_t block) { return (struct frame *)(block - sizeof(struct frame)); }

// The product spreads every bit and both factors are odd: a flip of any single bit of the three words is found for
// certain.
static uint64_t check_of(const struct mb_stack_arena *stack, const struct frame *frame) {
    return mb_link_encode(&stack->key, frame->previous + frame->cursor * ODD + (uintptr_t)frame);
}

static bool is_intact(const struct mb_stack_arena *stack, uintptr_t block) {
    const struct frame *frame = frame_of(block);
    return frame->check == check_of(stack, frame) && frame->cursor >= stack->arena.bump.base && frame->cursor <= (uintptr_t)frame &&
           frame->previous < block;
}

// --- blocks ----------------------------------------------------------------------------------------------------------

static void *fail(struct mb_stack_arena *stack, enum mb_error error) {
    stack->arena.error = error;
    return NULL;
}

// Where a block starts whose frame begins at the cursor or later, and the bytes from the cursor to the block's end.
// False: beyond all addresses.
static bool place(uintptr_t cursor, size_t bytes, size_t align, uintptr_t *block, size_t *whole) {
    uintptr_t behind_frame;
    return !__builtin_add_overflow(cursor, sizeof(struct frame), &behind_frame) &&
           mb_align_up_checked(behind_frame, mb_max(align, _Alignof(struct frame)), block) &&
           !__builtin_add_overflow(*block - cursor, bytes, whole) && *whole <= PTRDIFF_MAX;
}

void *mb_stack_arena_allocate(struct mb_stack_arena *stack, size_t bytes, size_t align) {
    uintptr_t cursor = stack->arena.bump.next, block;
    size_t whole;
    enum mb_error error = mb_allocator_judge(bytes, align);
    if (error == MB_OK && !place(cursor, bytes, align, &block, &whole)) error = MB_FULL;
    if (MB_UNLIKELY(error != MB_OK)) return fail(stack, error);
    if (mb_bump_arena_allocate(&stack->arena, whole, 1) == NULL) return NULL;
    struct frame *frame = frame_of(block);
    frame->previous = stack->newest;
    frame->cursor = cursor;
    frame->check = check_of(stack, frame);
    stack->newest = block;
    return (void *)block;
}

// The live block p and the address behind it. False: no live block; a broken frame ends the walk and is told by
// *broken.
static bool find(const struct mb_stack_arena *stack, uintptr_t p, uintptr_t *end, uintptr_t *broken) {
    *end = stack->arena.bump.next;
    *broken = 0;
    for (uintptr_t block = stack->newest; block >= p && block != 0; block = frame_of(block)->previous) {
        if (!is_intact(stack, block)) {
            *broken = block;
            return false;
        }
        if (block == p) return true;
        *end = frame_of(block)->cursor;
    }
    return false;
}

// Reports what is wrong with a pointer that is not the newest block. Changes nothing.
MB_COLD static enum mb_error misuse(struct mb_stack_arena *stack, const void *p) {
    struct mb_reports *reports = &stack->arena.reports;
    uintptr_t end, broken;
    if (find(stack, (uintptr_t)p, &end, &broken)) return mb_report(reports, MB_BAD_ORDER, "block is not the newest of its stack arena", p);
    if (broken != 0) return mb_report(reports, MB_CORRUPT, "corrupted stack arena frame", (void *)broken);
    bool inside = mb_bump_contains(&stack->arena.bump, p);
    if (inside && (uintptr_t)p >= stack->arena.bump.next) return mb_report(reports, MB_DOUBLE_FREE, "double free", p);
    return mb_report(reports, MB_BAD_POINTER, "pointer to no block of the arena", p);
}

enum mb_error mb_stack_arena_deallocate(struct mb_stack_arena *stack, void *p) {
    mb_owner_check(&stack->arena.owner, stack);
    uintptr_t block = (uintptr_t)p;
    if (MB_UNLIKELY(block != stack->newest || block == 0)) return stack->arena.error = misuse(stack, p);
    if (MB_UNLIKELY(!is_intact(stack, block))) {
        return stack->arena.error = mb_report(&stack->arena.reports, MB_CORRUPT, "corrupted stack arena frame", p);
    }
    struct frame *frame = frame_of(block);
    stack->newest = frame->previous;
    frame->check = 0;
    return mb_bump_arena_rewind(&stack->arena, frame->cursor - stack->arena.bump.base);
}

size_t mb_stack_arena_usable_size(const struct mb_stack_arena *stack, const void *p) {
    uintptr_t end, broken;
    return find(stack, (uintptr_t)p, &end, &broken) ? end - (uintptr_t)p : 0;
}

// --- the interface ---------------------------------------------------------------------------------------------------

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_stack_arena_allocate(of(a), bytes, align);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    char *p = mb_stack_arena_allocate(of(a), bytes, align);
    uintptr_t dirty = of(a)->arena.dirty;
    if (p != NULL && (uintptr_t)p < dirty) memset(p, 0, mb_min(bytes, dirty - (uintptr_t)p));
    return p;
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    struct mb_stack_arena *stack = of(a);
    if ((uintptr_t)p == stack->newest && bytes > stack->arena.bump.next - (uintptr_t)p) {
        return stack->arena.error = mb_report(&stack->arena.reports, MB_BAD_SIZE, "block freed with a wrong size", p);
    }
    return mb_stack_arena_deallocate(stack, p);
}

// Only the newest block can grow: a copy would be the newest and leave the old one in the way.
static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_stack_arena *stack = of(a);
    if ((uintptr_t)p != stack->newest) return fail(stack, misuse(stack, p));
    if (old_bytes > stack->arena.bump.next - (uintptr_t)p) return fail(stack, MB_BAD_SIZE);
    if (!mb_is_aligned((uintptr_t)p, align)) return fail(stack, MB_BAD_ALIGN);
    struct mb_allocator *arena = &stack->arena.allocator;
    return arena->table->grow(arena, p, stack->arena.bump.next - (uintptr_t)p, new_bytes, 1);
}

static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_stack_arena *stack = of(a);
    size_t usable = mb_stack_arena_usable_size(stack, p);
    if (usable == 0) return fail(stack, misuse(stack, p));
    if (old_bytes > usable) return fail(stack, MB_BAD_SIZE);
    if (!mb_is_aligned((uintptr_t)p, align)) return fail(stack, MB_BAD_ALIGN);
    if ((uintptr_t)p != stack->newest) return p;
    struct mb_allocator *arena = &stack->arena.allocator;
    return arena->table->shrink(arena, p, usable, new_bytes, 1);
}

static enum mb_error reset(struct mb_allocator *a) {
    of(a)->newest = 0;
    mb_bump_arena_reset(&of(a)->arena);
    return MB_OK;
}

static size_t usable_size(const struct mb_allocator *a, const void *p) { return mb_stack_arena_usable_size(view(a), p); }
static size_t capacity(const struct mb_allocator *a) { return mb_bump_capacity(&view(a)->arena.bump); }
static bool owns(const struct mb_allocator *a, const void *p) { return mb_bump_contains(&view(a)->arena.bump, p); }
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_reports_count(&view(a)->arena.reports); }
static enum mb_error last_error(const struct mb_allocator *a) { return view(a)->arena.error; }
static enum mb_error drop(struct mb_allocator *a) { return mb_stack_arena_drop(of(a)); }

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_FREES | MB_TRAIT_RESETS | MB_TRAIT_SIZES | MB_TRAIT_OWNS | MB_TRAIT_ORDERED,
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = grow, .shrink = shrink,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop,
};

// --- making one ------------------------------------------------------------------------------------------------------

static void start(struct mb_stack_arena *stack) {
    stack->allocator = (struct mb_allocator){.table = &table};
    stack->newest = 0;
    stack->key = mb_link_key_get();
}

void mb_stack_arena_init(struct mb_stack_arena *stack, void *memory, size_t bytes, enum mb_policy policy) {
    start(stack);
    mb_bump_arena_init(&stack->arena, memory, bytes, policy);
}

enum mb_error mb_stack_arena_over(struct mb_stack_arena *stack, struct mb_allocator *base, enum mb_policy policy) {
    start(stack);
    return mb_bump_arena_over(&stack->arena, base, policy);
}

enum mb_error mb_stack_arena_drop(struct mb_stack_arena *stack) {
    stack->newest = 0;
    return mb_bump_arena_drop(&stack->arena);
}
