#include "core/region/locked.h"

#include <errno.h>
#include <string.h>

#include "core/base/owner.h"
#include "core/region/locked_member.h"
#include "platform/os.h"

enum { MARK_BYTES = 64, MARK_WORDS = MARK_BYTES / 8 };

void mb_scrub(void *p, size_t bytes) {
    memset(p, 0, bytes);
    __asm__ volatile("" : : "r"(p) : "memory"); // somebody reads it
}

static enum mb_error fail(struct mb_locked *locked, enum mb_error error) {
    locked->error = error;
    return error;
}

static enum mb_error refused(struct mb_locked *locked, int os_error) {
    locked->os_error = os_error;
    return fail(locked, MB_REFUSED);
}

// --- the mark -------------------------------------------------------------------------------------------------------

static uint64_t *mark_of(const struct mb_locked *locked) { return (uint64_t *)(locked->bump.base - MARK_BYTES); }

static bool mark_is(const struct mb_locked *locked, uint64_t value) {
    uint64_t differs = 0;
    for (size_t i = 0; i < MARK_WORDS; i++) differs |= mark_of(locked)[i] ^ value;
    return differs == 0;
}

static void set_mark(const struct mb_locked *locked) {
    for (size_t i = 0; i < MARK_WORDS; i++) mark_of(locked)[i] = locked->mark;
}

// Only the kernel's wipe makes all of it zero: we are a forked child. Anything else was an underflow.
static enum mb_error judge_mark(struct mb_locked *locked) {
    if (mark_is(locked, locked->mark)) return MB_OK;
    if (mark_is(locked, 0)) return fail(locked, MB_UNSUPPORTED);
    __atomic_store_n(&locked->corruptions, locked->corruptions + 1, __ATOMIC_RELAXED);
    return fail(locked, MB_CORRUPT);
}

// The first line of every call that reads or writes the memory.
static enum mb_error enter(struct mb_locked *locked) {
    mb_owner_check(&locked->owner, locked);
    if (locked->mapped == 0) return MB_OK; // dropped: the empty range refuses everything
    if ((locked->access & MB_OS_WRITE) == 0) return fail(locked, MB_UNSUPPORTED);
    return locked->taken ? fail(locked, MB_FULL) : judge_mark(locked);
}

uint64_t mb_locked_corruption_events(const struct mb_locked *locked) {
    return __atomic_load_n(&locked->corruptions, __ATOMIC_RELAXED);
}

// --- mapping --------------------------------------------------------------------------------------------------------

// The pages between the guards.
static void *inside(const struct mb_locked *locked) { return (void *)(locked->mapping + mb_os_page_size()); }
static size_t inside_bytes(const struct mb_locked *locked) { return locked->mapped - 2 * mb_os_page_size(); }

// Everything that makes the pages safe, before a byte is written.
static int secure(const struct mb_locked *locked) {
    void *p = inside(locked);
    size_t bytes = inside_bytes(locked);
    int error = mb_os_commit(p, bytes);
    if (error == 0) error = mb_os_no_dump(p, bytes);
    if (error == 0) error = mb_os_wipe_on_fork(p, bytes);
    if (error == 0) error = mb_os_lock(p, bytes);
    return error;
}

static void begin(struct mb_locked *locked) {
    mb_bump_init(&locked->bump, (char *)inside(locked) + MARK_BYTES, inside_bytes(locked) - MARK_BYTES);
    locked->access = MB_OS_READ | MB_OS_WRITE;
    do mb_os_random(&locked->mark, sizeof locked->mark);
    while (locked->mark == 0);
    set_mark(locked);
}

enum mb_error mb_locked_new(struct mb_locked *locked, size_t bytes) {
    size_t page = mb_os_page_size(), pages;
    void *p;
    mb_locked_clear(locked);
    if (bytes == 0 || bytes > PTRDIFF_MAX - 4 * page) return fail(locked, MB_BAD_SIZE);
    pages = mb_align_up(bytes + MARK_BYTES, page);
    int error = mb_os_reserve(NULL, pages + 2 * page, &p);
    if (error != 0) return refused(locked, error);
    locked->mapping = (uintptr_t)p;
    locked->mapped = pages + 2 * page;
    error = secure(locked);
    if (error != 0) {
        mb_os_unmap(p, locked->mapped); // whatever it says: why there is no region is what counts
        mb_locked_clear(locked);
        return refused(locked, error);
    }
    begin(locked);
    return MB_OK;
}

enum mb_error mb_locked_drop(struct mb_locked *locked) {
    mb_owner_check(&locked->owner, locked);
    if (locked->mapped == 0) return MB_OK;
    if (locked->taken) return fail(locked, MB_BAD_CONFIG);
    enum mb_error error = mb_locked_protect(locked, MB_OS_READ | MB_OS_WRITE);
    if (error != MB_OK) return error;
    mb_scrub(mb_locked_base(locked), mb_locked_capacity(locked));
    int os_error = mb_os_unmap((void *)locked->mapping, locked->mapped);
    if (os_error != 0) return refused(locked, os_error);
    mb_locked_clear(locked);
    return MB_OK;
}

// The memory is accessible.
static enum mb_error relock_wiped(struct mb_locked *locked) {
    if (!mark_is(locked, 0)) return fail(locked, MB_BAD_ORDER);
    int error = mb_os_lock(inside(locked), inside_bytes(locked));
    if (error != 0) return refused(locked, error);
    begin(locked);
    return MB_OK;
}

enum mb_error mb_locked_relock(struct mb_locked *locked) {
    unsigned access = locked->access;
    if (locked->mapped == 0 || locked->taken) return fail(locked, MB_BAD_ORDER);
    enum mb_error error = mb_locked_protect(locked, MB_OS_READ | MB_OS_WRITE);
    if (error != MB_OK) return error;
    error = relock_wiped(locked);
    if (error != MB_OK) mb_os_protect(inside(locked), inside_bytes(locked), locked->access = access);
    return error;
}

enum mb_error mb_locked_protect(struct mb_locked *locked, unsigned access) {
    mb_owner_check(&locked->owner, locked);
    if ((access & ~(unsigned)(MB_OS_READ | MB_OS_WRITE)) != 0 || access == MB_OS_WRITE) return fail(locked, MB_BAD_CONFIG);
    if (access == locked->access || locked->mapped == 0) return MB_OK;
    int error = mb_os_protect(inside(locked), inside_bytes(locked), access);
    if (error != 0) return refused(locked, error);
    locked->access = access;
    return MB_OK;
}

// --- carving --------------------------------------------------------------------------------------------------------

static enum mb_error why_not(size_t bytes, size_t align) {
    enum mb_error error = mb_allocator_judge(bytes, align);
    return error == MB_OK ? MB_FULL : error;
}

void *mb_locked_allocate(struct mb_locked *locked, size_t bytes, size_t align) {
    if (enter(locked) != MB_OK) return NULL;
    void *p = mb_bump_alloc(&locked->bump, bytes, align);
    if (p == NULL) fail(locked, why_not(bytes, align));
    return p;
}

static bool is_block(const struct mb_locked *locked, const void *p, size_t bytes) {
    size_t offset = (uintptr_t)p - locked->bump.base, allocated = mb_locked_allocated(locked);
    return bytes != 0 && offset < allocated && bytes <= allocated - offset;
}

// The first line of every call about a block.
static enum mb_error enter_block(struct mb_locked *locked, const void *p, size_t bytes) {
    enum mb_error error = enter(locked);
    if (error != MB_OK) return error;
    return is_block(locked, p, bytes) ? MB_OK : fail(locked, MB_BAD_POINTER);
}

enum mb_error mb_locked_deallocate(struct mb_locked *locked, void *p, size_t bytes) {
    enum mb_error error = enter_block(locked, p, bytes);
    if (error != MB_OK) return error;
    bool newest = mb_bump_is_last(&locked->bump, p, bytes);
    mb_scrub(p, bytes);
    if (newest) locked->bump.next = (uintptr_t)p;
    return MB_OK;
}

void *mb_locked_grow(struct mb_locked *locked, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    enum mb_error error = enter_block(locked, p, old_bytes);
    if (error == MB_OK && new_bytes < old_bytes) fail(locked, error = MB_BAD_SIZE);
    if (error != MB_OK) return NULL;
    bool aligned = mb_is_pow2(align) && mb_is_aligned((uintptr_t)p, align);
    if (aligned && mb_bump_resize_last(&locked->bump, p, old_bytes, new_bytes)) return p;
    void *copy = mb_locked_allocate(locked, new_bytes, align);
    if (copy == NULL) return NULL;
    memcpy(copy, p, old_bytes);
    mb_scrub(p, old_bytes);
    return copy;
}

void *mb_locked_shrink(struct mb_locked *locked, void *p, size_t old_bytes, size_t new_bytes) {
    enum mb_error error = enter_block(locked, p, old_bytes);
    if (error == MB_OK && (new_bytes == 0 || new_bytes > old_bytes)) fail(locked, error = MB_BAD_SIZE);
    if (error != MB_OK) return NULL;
    mb_scrub((char *)p + new_bytes, old_bytes - new_bytes);
    mb_bump_resize_last(&locked->bump, p, old_bytes, new_bytes);
    return p;
}

enum mb_error mb_locked_reset(struct mb_locked *locked) { return mb_locked_rewind(locked, 0); }

size_t mb_locked_mark(const struct mb_locked *locked) { return mb_bump_mark(&locked->bump); }

enum mb_error mb_locked_rewind(struct mb_locked *locked, size_t mark) {
    enum mb_error error = enter(locked);
    size_t allocated = mb_locked_allocated(locked);
    if (error != MB_OK) return error;
    if (mark > allocated) return fail(locked, MB_BAD_RANGE);
    mb_scrub((char *)mb_locked_base(locked) + mark, allocated - mark);
    mb_bump_rewind(&locked->bump, mark);
    return MB_OK;
}
