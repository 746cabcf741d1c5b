#include "core/layout/bump_arena_shared.h"

#include <string.h>

#include "core/base/bump.h"
#include "core/base/config.h"

static struct mb_bump_arena_shared *of(struct mb_allocator *a) { return (struct mb_bump_arena_shared *)a; }
static const struct mb_bump_arena_shared *view(const struct mb_allocator *a) {
    return (const struct mb_bump_arena_shared *)a;
}

static size_t whole_of(const struct mb_bump_arena_shared *arena) { return arena->bump.end - arena->bump.base; }

static void *fail(struct mb_bump_arena_shared *arena, enum mb_error error) {
    __atomic_store_n(&arena->error, error, __ATOMIC_RELAXED);
    return NULL;
}

// --- committing ------------------------------------------------------------------------------------------------------

static bool is_usable(const struct mb_bump_arena_shared *arena, size_t upto) {
    return arena->bump.base + upto <= atomic_load_explicit(&arena->bump.usable, memory_order_acquire);
}

static enum mb_error commit_locked(struct mb_bump_arena_shared *arena, size_t upto) {
    size_t step;
    if (is_usable(arena, upto)) return MB_OK;
    if (!mb_align_up_checked(upto, MB_COMMIT_STEP_MIN, &step) || step > whole_of(arena)) step = whole_of(arena);
    enum mb_error error = mb_allocator_commit(arena->base, 0, step);
    if (error != MB_OK && step > upto) error = mb_allocator_commit(arena->base, 0, step = upto);
    if (error == MB_OK) atomic_store_explicit(&arena->bump.usable, arena->bump.base + step, memory_order_release);
    return error;
}

static bool commit(void *context, size_t upto) {
    struct mb_bump_arena_shared *arena = context;
    if (is_usable(arena, upto)) return true;
    mb_lock(&arena->grow);
    enum mb_error error = commit_locked(arena, upto);
    mb_unlock(&arena->grow);
    if (error != MB_OK) atomic_store_explicit(&arena->refused, error, memory_order_relaxed);
    return error == MB_OK;
}

// --- blocks ----------------------------------------------------------------------------------------------------------

// The error of a failed allocation: if the block fits behind the cursor, the commit has failed.
MB_COLD static enum mb_error why_not(const struct mb_bump_arena_shared *arena, size_t bytes, size_t align) {
    enum mb_error error = mb_allocator_judge(bytes, align);
    uintptr_t start, next = atomic_load_explicit(&arena->bump.next, memory_order_relaxed);
    if (error != MB_OK) return error;
    if (!mb_bump_place(next, arena->bump.end, bytes, align, &start)) return MB_FULL;
    return (enum mb_error)atomic_load_explicit(&arena->refused, memory_order_relaxed);
}

void *mb_bump_arena_shared_allocate(struct mb_bump_arena_shared *arena, size_t bytes, size_t align) {
    void *p = mb_bump_shared_alloc(&arena->bump, bytes, align);
    return MB_LIKELY(p != NULL) ? p : fail(arena, why_not(arena, bytes, align));
}

void *mb_bump_arena_shared_allocate_zeroed(struct mb_bump_arena_shared *arena, size_t bytes, size_t align) {
    char *p = mb_bump_arena_shared_allocate(arena, bytes, align);
    if (p != NULL && (uintptr_t)p < arena->dirty) memset(p, 0, mb_min(bytes, arena->dirty - (uintptr_t)p));
    return p;
}

static void note_dirty(struct mb_bump_arena_shared *arena) {
    arena->dirty = mb_max(arena->dirty, arena->bump.base + mb_bump_shared_used(&arena->bump));
}

void mb_bump_arena_shared_reset(struct mb_bump_arena_shared *arena) {
    note_dirty(arena);
    mb_bump_shared_reset(&arena->bump);
}

// --- the interface ---------------------------------------------------------------------------------------------------

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_bump_arena_shared_allocate(of(a), bytes, align);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_bump_arena_shared_allocate_zeroed(of(a), bytes, align);
}

static enum mb_error judge_block(struct mb_bump_arena_shared *arena, const void *p, size_t bytes) {
    size_t offset = (uintptr_t)p - arena->bump.base, used = mb_bump_shared_used(&arena->bump);
    if (offset < used && bytes <= used - offset) return MB_OK;
    enum mb_error error = mb_report(&arena->reports, MB_BAD_POINTER, "pointer to no block of the arena", p);
    fail(arena, error);
    return error;
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) { return judge_block(of(a), p, bytes); }

// Grows the block in place if no other thread has carved behind it. Commits before it moves the cursor, as an
// allocation does.
static bool grow_last(struct mb_bump_arena_shared *arena, uintptr_t p, size_t old_bytes, size_t new_bytes) {
    uintptr_t next = p + old_bytes;
    if (atomic_load_explicit(&arena->bump.next, memory_order_relaxed) != next) return false;
    if (new_bytes > arena->bump.end - p) return false;
    if (!commit(arena, p + new_bytes - arena->bump.base)) return false;
    return atomic_compare_exchange_strong_explicit(&arena->bump.next, &next, p + new_bytes, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_bump_arena_shared *arena = of(a);
    if (judge_block(arena, p, old_bytes) != MB_OK) return NULL;
    if (mb_is_aligned((uintptr_t)p, align) && grow_last(arena, (uintptr_t)p, old_bytes, new_bytes)) return p;
    void *copy = mb_bump_arena_shared_allocate(arena, new_bytes, align);
    return copy == NULL ? NULL : memcpy(copy, p, old_bytes);
}

// In place; the rest stays unused: otherwise it could be handed out as zeroed memory, which it is not.
static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    (void)new_bytes;
    if (judge_block(of(a), p, old_bytes) != MB_OK) return NULL;
    return mb_is_aligned((uintptr_t)p, align) ? p : fail(of(a), MB_BAD_ALIGN);
}

static enum mb_error reset(struct mb_allocator *a) {
    mb_bump_arena_shared_reset(of(a));
    return MB_OK;
}

static size_t usable_size(const struct mb_allocator *a, const void *p) {
    (void)a, (void)p;
    return 0;
}

static size_t capacity(const struct mb_allocator *a) { return whole_of(view(a)); }
static bool owns(const struct mb_allocator *a, const void *p) { return (uintptr_t)p - view(a)->bump.base < whole_of(view(a)); }
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_reports_count(&view(a)->reports); }
static enum mb_error last_error(const struct mb_allocator *a) { return __atomic_load_n(&view(a)->error, __ATOMIC_RELAXED); }
static enum mb_error drop(struct mb_allocator *a) { return mb_bump_arena_shared_drop(of(a)); }

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_RESETS | MB_TRAIT_OWNS | MB_TRAIT_SHARED,
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = grow, .shrink = shrink,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop,
};

// --- making one ------------------------------------------------------------------------------------------------------

void mb_bump_arena_shared_init(struct mb_bump_arena_shared *arena, void *memory, size_t bytes, enum mb_policy policy) {
    memset(arena, 0, sizeof *arena);
    arena->allocator.table = &table;
    arena->reports.policy = policy;
    arena->grow.rank = MB_RANK_MEMBER;
    mb_bump_shared_init(&arena->bump, memory, bytes, NULL, NULL);
    arena->dirty = arena->bump.end;
}

enum mb_error mb_bump_arena_shared_over(struct mb_bump_arena_shared *arena, struct mb_allocator *base,
                                        enum mb_policy policy) {
    size_t dirty;
    enum mb_error error = mb_allocator_take_over(base, &dirty);
    if (error != MB_OK) return error;
    void *start = mb_allocator_base(base);
    size_t bytes = mb_allocator_range_bytes(base);
    mb_bump_arena_shared_init(arena, start, bytes, policy);
    mb_bump_shared_init(&arena->bump, start, bytes, commit, arena);
    arena->base = base;
    arena->dirty = arena->bump.base + dirty;
    return MB_OK;
}

enum mb_error mb_bump_arena_shared_drop(struct mb_bump_arena_shared *arena) {
    note_dirty(arena);
    if (arena->base != NULL) mb_allocator_hand_back(arena->base, arena->dirty - arena->bump.base);
    mb_bump_arena_shared_init(arena, NULL, 0, arena->reports.policy);
    return MB_OK;
}
