#include "core/region/region.h"

#include <string.h>

#include "core/base/check.h"
#include "core/base/owner.h"
#include "platform/os.h"

static enum mb_error fail(struct mb_region *region, enum mb_error error) {
    region->error = error;
    return error;
}

static enum mb_error refused(struct mb_region *region, int os_error) {
    region->os_error = os_error;
    return fail(region, MB_REFUSED);
}

static bool honours(const struct mb_region *region, enum mb_region_flag flag) { return (region->honoured & flag) != 0; }

static size_t offset_of(const struct mb_region *region, const void *p) { return (uintptr_t)p - region->bump.base; }

// The first line of every call: numbers that can be true. False: counted, and MB_CORRUPT said.
static bool is_sound(struct mb_region *region) {
    if (MB_LIKELY(mb_region_check(region))) return true;
    __atomic_store_n(&region->corruptions, region->corruptions + 1, __ATOMIC_RELAXED);
    region->error = MB_CORRUPT;
    return false;
}

// The first line of every call that carves or gives up: the right thread besides.
static bool enter(struct mb_region *region) {
    mb_owner_check(&region->owner, region);
    return is_sound(region);
}

uint64_t mb_region_corruption_events(const struct mb_region *region) {
    return __atomic_load_n(&region->corruptions, __ATOMIC_RELAXED);
}

bool mb_region_check(const struct mb_region *region) {
    size_t committed = mb_region_committed(region);
    return mb_bump_check(&region->bump) && mb_region_allocated(region) <= committed &&
           committed <= mb_region_capacity(region) && mb_region_capacity(region) <= region->mapped &&
           region->dirty <= committed && region->populated <= committed &&
           (region->newest == 0 || offset_of(region, (void *)region->newest) <= mb_region_allocated(region));
}

// --- committing -----------------------------------------------------------------------------------------------------

// A preference that stops being possible is dropped from what is honoured; a requirement is an error.
static enum mb_error populate(struct mb_region *region) {
    size_t committed = mb_region_committed(region);
    int error = mb_os_populate((void *)(region->bump.base + region->populated), committed - region->populated);
    if (error == 0) {
        region->populated = committed;
    } else if ((region->require & MB_REGION_POPULATE) == 0) {
        region->os_error = error;
        region->honoured &= ~(uint32_t)MB_REGION_POPULATE;
    } else {
        return refused(region, error);
    }
    return MB_OK;
}

// Makes [0, upto) usable; upto is at most the capacity. Huge pages want whole ones, hence the step.
static enum mb_error commit(struct mb_region *region, size_t upto) {
    if (upto > mb_region_committed(region)) {
        size_t target = mb_min(mb_align_up(upto, region->commit_step), mb_region_capacity(region));
        int error = mb_lazy_commit(&region->lazy, target);
        if (error != 0) return refused(region, error);
    }
    if (honours(region, MB_REGION_POPULATE) && upto > region->populated) return populate(region);
    return MB_OK;
}

enum mb_error mb_region_commit(struct mb_region *region, size_t offset, size_t bytes) {
    if (!is_sound(region)) return MB_CORRUPT;
    size_t capacity = mb_region_capacity(region);
    if (offset > capacity || bytes > capacity - offset) return fail(region, MB_BAD_RANGE);
    return commit(region, offset + bytes);
}

// --- carving --------------------------------------------------------------------------------------------------------

static enum mb_error why_not(size_t bytes, size_t align) {
    if (bytes == 0 || bytes > PTRDIFF_MAX) return MB_BAD_SIZE;
    return mb_is_pow2(align) ? MB_FULL : MB_BAD_ALIGN;
}

void *mb_region_allocate(struct mb_region *region, size_t bytes, size_t align) {
    uintptr_t start;
    if (!enter(region)) return NULL;
    if (!mb_bump_fit(&region->bump, bytes, align, &start)) {
        fail(region, why_not(bytes, align));
        return NULL;
    }
    if (commit(region, start + bytes - region->bump.base) != MB_OK) return NULL;
    region->newest = start;
    return mb_bump_take(&region->bump, start, bytes);
}

void *mb_region_allocate_zeroed(struct mb_region *region, size_t bytes, size_t align) {
    void *p = mb_region_allocate(region, bytes, align);
    if (p == NULL) return NULL;
    size_t offset = offset_of(region, p);
    if (offset < region->dirty) memset(p, 0, mb_min(bytes, region->dirty - offset));
    return p;
}

// Notes that the memory behind the cursor was handed out before, and so may not be zero.
static void note_dirty(struct mb_region *region) {
    region->dirty = mb_max(region->dirty, mb_region_allocated(region));
}

// Whether [p, p + bytes) is the newest block. After a rewind the start of the newest block is not known, so only the
// end is compared.
static bool is_newest(const struct mb_region *region, const void *p, size_t bytes) {
    bool starts = region->newest == (uintptr_t)p || region->newest == 0;
    return starts && mb_bump_is_last(&region->bump, p, bytes);
}

// Whether [p, p + bytes) can be a live block: inside what was carved, and not a part of the newest block or across its
// start.
static bool is_block(const struct mb_region *region, const void *p, size_t bytes) {
    size_t offset = offset_of(region, p), limit = mb_region_allocated(region);
    if (region->newest == (uintptr_t)p) return bytes != 0 && bytes == limit - offset;
    if (region->newest != 0) limit = offset_of(region, (void *)region->newest);
    return bytes != 0 && offset < limit && bytes <= limit - offset;
}

size_t mb_region_usable_size(const struct mb_region *region, const void *p) {
    return p != NULL && region->newest == (uintptr_t)p ? region->bump.next - region->newest : 0;
}

static void *grow_in_place(struct mb_region *region, void *p, size_t old_bytes, size_t new_bytes) {
    size_t offset = offset_of(region, p);
    if (new_bytes > mb_region_capacity(region) - offset) {
        fail(region, why_not(new_bytes, 1));
        return NULL;
    }
    if (commit(region, offset + new_bytes) != MB_OK) return NULL;
    mb_bump_resize_last(&region->bump, p, old_bytes, new_bytes);
    region->newest = (uintptr_t)p;
    return p;
}

static void *grow_by_copy(struct mb_region *region, const void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    void *copy = mb_region_allocate(region, new_bytes, align);
    return copy != NULL ? memcpy(copy, p, old_bytes) : NULL;
}

void *mb_region_grow(struct mb_region *region, void *p, size_t old_bytes, size_t new_bytes, size_t align) {
    enum mb_error error = MB_OK;
    if (!enter(region)) return NULL;
    if (!mb_is_pow2(align)) error = MB_BAD_ALIGN;
    else if (!is_block(region, p, old_bytes)) error = MB_BAD_POINTER;
    else if (new_bytes < old_bytes) error = MB_BAD_SIZE;
    if (error != MB_OK) {
        fail(region, error);
        return NULL;
    }
    bool in_place = is_newest(region, p, old_bytes) && mb_is_aligned((uintptr_t)p, align);
    return in_place ? grow_in_place(region, p, old_bytes, new_bytes)
                    : grow_by_copy(region, p, old_bytes, new_bytes, align);
}

void *mb_region_shrink(struct mb_region *region, void *p, size_t old_bytes, size_t new_bytes) {
    if (!enter(region)) return NULL;
    bool ok = is_block(region, p, old_bytes);
    if (!ok || new_bytes == 0 || new_bytes > old_bytes) {
        fail(region, ok ? MB_BAD_SIZE : MB_BAD_POINTER);
        return NULL;
    }
    if (is_newest(region, p, old_bytes)) {
        note_dirty(region);
        mb_bump_resize_last(&region->bump, p, old_bytes, new_bytes);
    }
    return p;
}

enum mb_error mb_region_deallocate(struct mb_region *region, const void *p) {
    if (!enter(region)) return MB_CORRUPT;
    return offset_of(region, p) < mb_region_allocated(region) ? MB_OK : fail(region, MB_BAD_POINTER);
}

enum mb_error mb_region_reset(struct mb_region *region) { return mb_region_rewind(region, 0); }

size_t mb_region_mark(const struct mb_region *region) { return mb_bump_mark(&region->bump); }

enum mb_error mb_region_rewind(struct mb_region *region, size_t mark) {
    if (!enter(region)) return MB_CORRUPT;
    if (mark > mb_region_allocated(region)) return fail(region, MB_BAD_RANGE);
    note_dirty(region);
    mb_bump_rewind(&region->bump, mark);
    if (region->newest >= region->bump.next) region->newest = 0;
    MB_ASSERT(mb_region_check(region));
    return MB_OK;
}

// --- pages ----------------------------------------------------------------------------------------------------------

// Whether [p, p + bytes) is made of whole pages in front of `limit`.
static bool is_pages(const struct mb_region *region, const void *p, size_t bytes, size_t limit) {
    size_t offset = offset_of(region, p), step = region->release_step;
    if (bytes == 0 || !mb_is_aligned(offset, step) || !mb_is_aligned(bytes, step)) return false;
    return offset <= limit && bytes <= limit - offset;
}

enum mb_error mb_region_release_pages(struct mb_region *region, void *p, size_t bytes) {
    if (!is_sound(region)) return MB_CORRUPT;
    if (!is_pages(region, p, bytes, mb_region_capacity(region))) return fail(region, MB_BAD_RANGE);
    int error = mb_os_purge(p, bytes);
    if (error != 0) return refused(region, error);
    size_t offset = offset_of(region, p);
    if (offset + bytes >= region->dirty) region->dirty = mb_min(region->dirty, offset);
    return MB_OK;
}

size_t mb_region_huge_bytes(const struct mb_region *region) {
    long bytes = mb_os_huge_resident_bytes(mb_region_base(region), mb_region_capacity(region));
    return bytes > 0 ? (size_t)bytes : 0;
}

enum mb_error mb_region_protect(struct mb_region *region, void *p, size_t bytes, unsigned access) {
    const unsigned all = MB_OS_READ | MB_OS_WRITE | MB_OS_EXEC;
    if (!is_sound(region)) return MB_CORRUPT;
    if ((access & ~all) != 0) return fail(region, MB_BAD_CONFIG);
    if (!is_pages(region, p, bytes, mb_region_committed(region))) return fail(region, MB_BAD_RANGE);
    int error = mb_os_protect(p, bytes, access);
    return error == 0 ? MB_OK : refused(region, error);
}

enum mb_error mb_region_drop(struct mb_region *region) {
    if (!enter(region)) return MB_CORRUPT;
    int error = region->mapped == 0 ? 0 : mb_os_unmap((void *)region->bump.base, region->mapped);
    if (error != 0) return refused(region, error);
    memset(region, 0, sizeof *region);
    return MB_OK;
}
