#include "core/insight/residency.h"

#include <errno.h>
#include <string.h>

#include "core/base/config.h"
#include "platform/bits.h"
#include "platform/os.h"

enum { ZERO_LOOKS = 1 << 20 };

void mb_residency_init(struct mb_residency *r, uintptr_t limit) {
    r->measured = true;
    r->zero_looks = ZERO_LOOKS;
    r->begin = r->end = 0;
    r->limit = limit;
}

// -ENOMEM: a part is not mapped. Then page by page, so that a hole hides nothing.
static int ask_each(struct mb_residency *r, size_t page) {
    for (uintptr_t p = r->begin; p < r->end; p += page) {
        unsigned char *state = &r->page[(p - r->begin) / page];
        int error = mb_os_residency((const void *)p, page, state);
        if (error == -ENOMEM)
            *state = 0;
        else if (error != 0)
            return error;
    }
    return 0;
}

static void look_for_zeros(struct mb_residency *r) {
    if (r->zero_looks <= 0) return;
    long asked = mb_os_clear_zero_pages((const void *)r->begin, r->end - r->begin, r->page);
    r->zero_looks = asked < 0 ? 0 : r->zero_looks - asked;
}

static void look_at(struct mb_residency *r, uintptr_t p) {
    size_t page = mb_os_page_size();
    r->begin = mb_align_down(p, page);
    r->end = mb_min(r->begin + MB_RESIDENCY_PAGES * page, mb_align_up(r->limit, page));
    int error = r->measured ? mb_os_residency((const void *)r->begin, r->end - r->begin, r->page) : -ENOSYS;
    if (error == -ENOMEM) error = ask_each(r, page);
    if (error == 0) return look_for_zeros(r);
    r->measured = false;
    memset(r->page, 1, sizeof r->page);
}

static bool is_resident(struct mb_residency *r, uintptr_t p) {
    if (p < r->begin || p >= r->end) look_at(r, p);
    return (r->page[(p - r->begin) / mb_os_page_size()] & 1) != 0;
}

size_t mb_residency_bytes(struct mb_residency *r, uintptr_t begin, uintptr_t end) {
    size_t page = mb_os_page_size(), bytes = 0;
    for (uintptr_t p = mb_align_down(begin, page); p < end; p += page) {
        if (is_resident(r, p)) bytes += mb_min(p + page, end) - mb_max(p, begin);
    }
    return bytes;
}

uint32_t mb_residency_unit(struct mb_residency *r, uintptr_t unit) {
    size_t page = mb_os_page_size();
    uint32_t pages = 0;
    for (unsigned i = 0; i < MB_UNIT_BYTES / page; i++) {
        if (is_resident(r, unit + i * page)) pages |= UINT32_C(1) << i;
    }
    return pages;
}
