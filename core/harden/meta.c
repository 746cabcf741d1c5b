#include "core/harden/meta.h"

#include "platform/bits.h"
#include "platform/os.h"

enum mb_error mb_meta_map(size_t bytes, void **out) {
    size_t page = mb_os_page_size(), inner;
    void *p;
    if (bytes == 0 || !mb_align_up_checked(bytes, page, &inner) || inner > PTRDIFF_MAX - 2 * page) return MB_BAD_SIZE;
    if (mb_os_reserve(NULL, inner + 2 * page, &p) != 0) return MB_REFUSED;
    if (mb_os_commit((char *)p + page, inner) != 0) {
        mb_os_unmap(p, inner + 2 * page);
        return MB_REFUSED;
    }
    *out = (char *)p + page;
    return MB_OK;
}

enum mb_error mb_meta_unmap(void *p, size_t bytes) {
    size_t page = mb_os_page_size();
    if (p == NULL) return MB_OK;
    return mb_os_unmap((char *)p - page, mb_align_up(bytes, page) + 2 * page) == 0 ? MB_OK : MB_REFUSED;
}
