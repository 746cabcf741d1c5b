#include "core/harden/huge.h"

#include "platform/os.h"

enum mb_error mb_huge_start(struct mb_allocator *base) {
    if (!mb_allocator_can(base, MB_TRAIT_RANGE)) return MB_BAD_CONFIG;
    if (!mb_os_huge_pages_enabled()) return MB_UNSUPPORTED;
    size_t huge = mb_os_huge_page_size(), bytes = base->table->range->size(base);
    void *p = base->table->range->base(base);
    if (bytes == 0 || !mb_is_aligned((uintptr_t)p, huge) || !mb_is_aligned(bytes, huge)) return MB_BAD_CONFIG;
    return mb_os_advise_huge(p, bytes, true) == 0 ? MB_OK : MB_REFUSED;
}

enum mb_error mb_huge_release(struct mb_allocator *base, void *p, size_t bytes) {
    const struct mb_range_table *range = base->table->range;
    size_t huge = mb_os_huge_page_size();
    uintptr_t first = (uintptr_t)p, end = first + bytes, start = (uintptr_t)range->base(base);
    if (first < start || bytes > range->size(base) || first - start > range->size(base) - bytes) return MB_BAD_RANGE;
    if (first > UINTPTR_MAX - huge) return MB_OK;
    first = mb_align_up(first, huge);
    end = mb_align_down(end, huge);
    return first < end ? range->release_pages(base, (void *)first, end - first) : MB_OK;
}
