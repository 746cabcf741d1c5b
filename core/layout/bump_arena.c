#include "core/layout/bump_arena.h"

#include <string.h>

#include "core/base/check.h"
#include "core/base/config.h"
#include "platform/os.h"

static struct mb_bump_arena *of(struct mb_allocator *a) { return (struct mb_bump_arena *)a; }
static const struct mb_bump_arena *view(const struct mb_allocator *a) { return (const struct mb_bump_arena *)a; }

static void *fail(struct mb_bump_arena *arena, enum mb_error error) {
    arena->error = error;
    return NULL;
}

bool mb_bump_arena_check(const struct mb_bump_arena *arena) {
    return mb_bump_check(&arena->bump) && arena->bump.next <= arena->usable && arena->usable <= arena->bump.end &&
           arena->dirty <= arena->usable;
}

// --- committing ------------------------------------------------------------------------------------------------------

// Commits in steps, so that most allocations take the fast path; if a step is refused, commits only what is needed.
static enum mb_error commit(struct mb_bump_arena *arena, uintptr_t end) {
    if (end <= arena->usable) return MB_OK;
    size_t need = end - arena->bump.base, whole = mb_bump_capacity(&arena->bump), step;
    if (!mb_align_up_checked(need, MB_COMMIT_STEP_MIN, &step) || step > whole) step = whole;
    enum mb_error error = mb_allocator_commit(arena->base, 0, step);
    if (error != MB_OK && step > need) error = mb_allocator_commit(arena->base, 0, step = need);
    if (error == MB_OK) arena->usable = arena->bump.base + step;
    return error;
}

MB_NOINLINE void *mb_bump_arena_allocate_slow(struct mb_bump_arena *arena, size_t bytes, size_t align) {
    enum mb_error error = mb_allocator_judge(bytes, align);
    uintptr_t start;
    if (error != MB_OK) return fail(arena, error);
    if (!mb_bump_fit(&arena->bump, bytes, align, &start)) return fail(arena, MB_FULL);
    error = commit(arena, start + bytes);
    return error == MB_OK ? mb_bump_take(&arena->bump, start, bytes) : fail(arena, error);
}

// --- blocks ----------------------------------------------------------------------------------------------------------

void *mb_bump_arena_allocate_zeroed(struct mb_bump_arena *arena, size_t bytes, size_t align) {
    char *p = mb_bump_arena_allocate(arena, bytes, align);
    if (p != NULL && (uintptr_t)p < arena->dirty) memset(p, 0, mb_min(bytes, arena->dirty - (uintptr_t)p));
    return p;
}

void *mb_bump_arena_array(struct mb_bump_arena *arena, size_t count, size_t element_bytes, size_t align) {
    size_t bytes;
    if (mb_mul_overflows(count, element_bytes, &bytes)) return fail(arena, MB_BAD_SIZE);
    return mb_bump_arena_allocate(arena, bytes, align);
}

void *mb_bump_arena_array_zeroed(struct mb_bump_arena *arena, size_t count, size_t element_bytes, size_t align) {
    size_t bytes;
    if (mb_mul_overflows(count, element_bytes, &bytes)) return fail(arena, MB_BAD_SIZE);
    return mb_bump_arena_allocate_zeroed(arena, bytes, align);
}

void *mb_bump_arena_array_copy(struct mb_bump_arena *arena, const void *from, size_t count, size_t element_bytes,
                               size_t align) {
    void *p = mb_bump_arena_array(arena, count, element_bytes, align);
    return p == NULL ? NULL : memcpy(p, from, count * element_bytes);
}

char *mb_bump_arena_strndup(struct mb_bump_arena *arena, const char *text, size_t max_bytes) {
    size_t length = strnlen(text, max_bytes);
    char *copy = mb_bump_arena_allocate(arena, length + 1, 1);
    if (copy == NULL) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *mb_bump_arena_strdup(struct mb_bump_arena *arena, const char *text) {
    return mb_bump_arena_strndup(arena, text, SIZE_MAX - 1);
}

// --- giving up -------------------------------------------------------------------------------------------------------

static void note_dirty(struct mb_bump_arena *arena) { arena->dirty = mb_max(arena->dirty, arena->bump.next); }

enum mb_error mb_bump_arena_rewind(struct mb_bump_arena *arena, size_t mark) {
    mb_owner_check(&arena->owner, arena);
    note_dirty(arena);
    if (!mb_bump_rewind(&arena->bump, mark)) return arena->error = MB_BAD_RANGE;
    MB_ASSERT(mb_bump_arena_check(arena));
    return MB_OK;
}

enum mb_error mb_bump_arena_release(struct mb_bump_arena *arena) {
    mb_owner_check(&arena->owner, arena);
    if (arena->base == NULL) return arena->error = MB_UNSUPPORTED;
    note_dirty(arena);
    size_t page = mb_os_page_size();
    uintptr_t from = mb_align_up(arena->bump.next, page), to = mb_min(mb_align_up(arena->dirty, page), arena->bump.end);
    if (from >= to) return MB_OK;
    enum mb_error error = mb_allocator_release_pages(arena->base, (void *)from, to - from);
    if (error != MB_OK) return arena->error = error;
    arena->dirty = from;
    return MB_OK;
}

void mb_scope_begin(struct mb_scope *scope, struct mb_bump_arena *arena) {
    mb_owner_check(&arena->owner, arena);
    *scope = (struct mb_scope){arena, arena->innermost, mb_bump_arena_mark(arena)};
    arena->innermost = scope;
}

enum mb_error mb_scope_end(struct mb_scope *scope) {
    struct mb_bump_arena *arena = scope->arena;
    mb_owner_check(&arena->owner, arena);
    if (arena->innermost != scope) {
        return arena->error = mb_report(&arena->reports, MB_BAD_ORDER, "scope ended that is not the innermost", scope);
    }
    arena->innermost = scope->outer;
    return mb_bump_arena_rewind(arena, scope->mark);
}

// --- the interface ---------------------------------------------------------------------------------------------------

static struct mb_bump_arena *entered(struct mb_allocator *a) {
    mb_owner_check(&of(a)->owner, a);
    return of(a);
}

static void *allocate(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_bump_arena_allocate(of(a), bytes, align);
}

static void *allocate_zeroed(struct mb_allocator *a, size_t bytes, size_t align) {
    return mb_bump_arena_allocate_zeroed(of(a), bytes, align);
}

// Whether [p, p + bytes) can be a live block; else it is reported.
static enum mb_error judge_block(struct mb_bump_arena *arena, const void *p, size_t bytes) {
    uintptr_t at = (uintptr_t)p;
    if (at >= arena->bump.base && at < arena->bump.next && bytes <= arena->bump.next - at) return MB_OK;
    return arena->error = mb_report(&arena->reports, MB_BAD_POINTER, "pointer to no block of the arena", p);
}

static enum mb_error deallocate(struct mb_allocator *a, void *p, size_t bytes) {
    return judge_block(entered(a), p, bytes);
}

static void *grow_last(struct mb_bump_arena *arena, void *p, size_t old_bytes, size_t new_bytes) {
    uintptr_t at = (uintptr_t)p;
    if (new_bytes > arena->bump.end - at) return fail(arena, MB_FULL);
    enum mb_error error = commit(arena, at + new_bytes);
    if (error != MB_OK) return fail(arena, error);
    mb_bump_resize_last(&arena->bump, p, old_bytes, new_bytes);
    return p;
}

static void *grow(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_bump_arena *arena = entered(a);
    if (judge_block(arena, p, old_bytes) != MB_OK) return NULL;
    if (mb_bump_is_last(&arena->bump, p, old_bytes) && mb_is_aligned((uintptr_t)p, align)) {
        return grow_last(arena, p, old_bytes, new_bytes);
    }
    void *copy = mb_bump_arena_allocate(arena, new_bytes, align);
    return copy == NULL ? NULL : memcpy(copy, p, old_bytes);
}

static void *shrink(struct mb_allocator *a, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    struct mb_bump_arena *arena = entered(a);
    if (judge_block(arena, p, old_bytes) != MB_OK) return NULL;
    if (!mb_is_aligned((uintptr_t)p, align)) return fail(arena, MB_BAD_ALIGN);
    if (mb_bump_is_last(&arena->bump, p, old_bytes)) {
        note_dirty(arena);
        mb_bump_resize_last(&arena->bump, p, old_bytes, new_bytes);
    }
    return p;
}

static enum mb_error reset(struct mb_allocator *a) {
    mb_bump_arena_reset(of(a));
    return MB_OK;
}

static size_t usable_size(const struct mb_allocator *a, const void *p) {
    (void)a, (void)p;
    return 0;
}

static size_t capacity(const struct mb_allocator *a) { return mb_bump_capacity(&view(a)->bump); }
static bool owns(const struct mb_allocator *a, const void *p) { return mb_bump_contains(&view(a)->bump, p); }
static uint64_t corruption_events(const struct mb_allocator *a) { return mb_reports_count(&view(a)->reports); }
static enum mb_error last_error(const struct mb_allocator *a) { return view(a)->error; }
static enum mb_error drop(struct mb_allocator *a) { return mb_bump_arena_drop(of(a)); }

static void *range_base(const struct mb_allocator *a) { return (void *)view(a)->bump.base; }

static enum mb_error range_commit(struct mb_allocator *a, size_t offset, size_t bytes) {
    struct mb_bump_arena *arena = entered(a);
    size_t whole = mb_bump_capacity(&arena->bump);
    bool inside = offset <= whole && bytes <= whole - offset;
    enum mb_error error = inside ? commit(arena, arena->bump.base + offset + bytes) : MB_BAD_RANGE;
    if (error != MB_OK) arena->error = error;
    return error;
}

static enum mb_error range_release_pages(struct mb_allocator *a, void *p, size_t bytes) {
    struct mb_bump_arena *arena = entered(a);
    enum mb_error error = arena->base == NULL ? MB_UNSUPPORTED : mb_allocator_release_pages(arena->base, p, bytes);
    if (error != MB_OK) arena->error = error;
    return error;
}

static enum mb_error range_protect(struct mb_allocator *a, void *p, size_t bytes, unsigned access) {
    struct mb_bump_arena *arena = entered(a);
    enum mb_error error = arena->base == NULL ? MB_UNSUPPORTED : mb_allocator_protect(arena->base, p, bytes, access);
    if (error != MB_OK) arena->error = error;
    return error;
}

static const struct mb_range_table range = {
    .base = range_base, .size = capacity, .commit = range_commit, .release_pages = range_release_pages,
    .protect = range_protect,
};

static const struct mb_allocator_table table = {
    .traits = MB_TRAIT_RESETS | MB_TRAIT_OWNS | MB_TRAIT_RANGE,
    .allocate = allocate, .allocate_zeroed = allocate_zeroed, .deallocate = deallocate, .grow = grow, .shrink = shrink,
    .reset = reset, .usable_size = usable_size, .capacity = capacity, .owns = owns,
    .corruption_events = corruption_events, .last_error = last_error, .drop = drop, .range = &range,
};

// --- making one ------------------------------------------------------------------------------------------------------

void mb_bump_arena_init(struct mb_bump_arena *arena, void *memory, size_t bytes, enum mb_policy policy) {
    *arena = (struct mb_bump_arena){.allocator = {.table = &table}, .reports = {.policy = policy}};
    mb_bump_init(&arena->bump, memory, bytes);
    arena->usable = arena->dirty = arena->bump.end;
}

enum mb_error mb_bump_arena_over(struct mb_bump_arena *arena, struct mb_allocator *base, enum mb_policy policy) {
    size_t dirty;
    enum mb_error error = mb_allocator_take_over(base, &dirty);
    if (error != MB_OK) return error;
    mb_bump_arena_init(arena, mb_allocator_base(base), mb_allocator_range_bytes(base), policy);
    arena->base = base;
    arena->usable = arena->bump.base;
    arena->dirty = arena->bump.base + dirty;
    if (commit(arena, arena->dirty) == MB_OK) return MB_OK; // committed before: costs nothing
    mb_allocator_hand_back(base, dirty);
    return MB_REFUSED;
}

enum mb_error mb_bump_arena_drop(struct mb_bump_arena *arena) {
    mb_owner_check(&arena->owner, arena);
    note_dirty(arena);
    if (arena->base != NULL) mb_allocator_hand_back(arena->base, arena->dirty - arena->bump.base);
    mb_bump_arena_init(arena, NULL, 0, arena->reports.policy);
    return MB_OK;
}
