// One inaccessible page inside memory that somebody uses: put up, and taken down again.
//
// What: MADV_GUARD_INSTALL where the kernel has it (Linux 6.13: no mapping of its own), else an access right, set
// through the base where it has a range. The contents of the page are lost.
// Who: any thread, for pages it owns.
#ifndef MB_CORE_HARDEN_GUARD_PAGE_H
#define MB_CORE_HARDEN_GUARD_PAGE_H

#include "core/base/allocator.h"

enum mb_guard_kind { MB_GUARD_BY_ADVICE = 0, MB_GUARD_BY_ACCESS = 1, MB_GUARD_NONE = 2, MB_GUARD_KINDS = 3 };

// How guards are made over one base; constant.
struct mb_guard_pages {
    struct mb_allocator *base;
    size_t page; // bytes
    bool by_advice;
};

// Whether guards can act over a base: MB_BAD_CONFIG over a range whose pages cannot be protected, where only the newest
// block can be freed (a grown block moves), and where two pages are not to be had (a pool of small slots; tried on
// bases that free).
enum mb_error mb_guard_try(struct mb_allocator *base);

// Tries what the kernel has, on a page of its own.
enum mb_error mb_guard_pages_init(struct mb_guard_pages *pages, struct mb_allocator *base);

// Sets *kind to the kind of guard that was made, on failure MB_GUARD_NONE. If madvise is refused (for locked memory)
// the access right is changed instead.
enum mb_error mb_guard_put_up(const struct mb_guard_pages *pages, void *p, enum mb_guard_kind *kind);

// On failure the guard stands as before.
enum mb_error mb_guard_take_down(const struct mb_guard_pages *pages, void *p, enum mb_guard_kind kind);

#endif
