#include "core/harden/guard_page.h"

#include "core/harden/meta.h"
#include "platform/os.h"

static enum mb_error probe_advice(struct mb_guard_pages *pages) {
    void *p;
    enum mb_error error = mb_meta_map(pages->page, &p);
    if (error != MB_OK) return error;
    pages->by_advice = mb_os_guard(p, pages->page) == 0;
    return mb_meta_unmap(p, pages->page);
}

enum mb_error mb_guard_try(struct mb_allocator *base) {
    size_t page = mb_os_page_size();
    if (mb_allocator_can(base, MB_TRAIT_RANGE) && base->table->range->protect == NULL) return MB_BAD_CONFIG;
    if (mb_allocator_can(base, MB_TRAIT_ORDERED)) return MB_BAD_CONFIG;
    if (!mb_allocator_can(base, MB_TRAIT_FREES)) return MB_OK;
    void *p = mb_allocator_allocate(base, 2 * page, page);
    if (p == NULL) return mb_allocator_last_error(base) == MB_REFUSED ? MB_REFUSED : MB_BAD_CONFIG;
    return mb_allocator_deallocate(base, p, 2 * page);
}

enum mb_error mb_guard_pages_init(struct mb_guard_pages *pages, struct mb_allocator *base) {
    pages->base = base;
    pages->page = mb_os_page_size();
    return probe_advice(pages);
}

static enum mb_error set_access(const struct mb_guard_pages *pages, void *p, unsigned access) {
    struct mb_allocator *base = pages->base;
    if (mb_allocator_can(base, MB_TRAIT_RANGE)) return base->table->range->protect(base, p, pages->page, access);
    return mb_os_protect(p, pages->page, access) == 0 ? MB_OK : MB_REFUSED;
}

enum mb_error mb_guard_put_up(const struct mb_guard_pages *pages, void *p, enum mb_guard_kind *kind) {
    *kind = MB_GUARD_BY_ADVICE;
    if (pages->by_advice && mb_os_guard(p, pages->page) == 0) return MB_OK;
    enum mb_error error = set_access(pages, p, MB_OS_NONE);
    *kind = error == MB_OK ? MB_GUARD_BY_ACCESS : MB_GUARD_NONE;
    return error;
}

enum mb_error mb_guard_take_down(const struct mb_guard_pages *pages, void *p, enum mb_guard_kind kind) {
    if (kind == MB_GUARD_NONE) return MB_OK;
    if (kind == MB_GUARD_BY_ACCESS) return set_access(pages, p, MB_OS_READ | MB_OS_WRITE);
    return mb_os_unguard(p, pages->page) == 0 ? MB_OK : MB_REFUSED;
}
