// What: see tests/support/os_pages.h: checks addresses and lengths against a larger page size.
// Who: any thread.
#include "tests/support/os_pages.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "platform/os.h"

size_t __real_mb_os_page_size(void);
size_t __wrap_mb_os_page_size(void);
int __real_mb_os_reserve(void *at, size_t bytes, void **out);
int __real_mb_os_unmap(void *p, size_t bytes);
long __real_mb_os_resident_pages(const void *p, size_t bytes);

size_t os_pages_bytes(void) {
    static _Atomic size_t known; // any thread, always the same
    size_t bytes = atomic_load_explicit(&known, memory_order_relaxed);
    if (bytes != 0) return bytes;
    const char *wanted = mb_os_env("MB_TEST_PAGE_BYTES");
    bytes = wanted != NULL ? (size_t)strtoul(wanted, NULL, 10) : __real_mb_os_page_size();
    atomic_store_explicit(&known, bytes, memory_order_relaxed);
    return bytes;
}

size_t __wrap_mb_os_page_size(void) { return os_pages_bytes(); }

void os_pages_check(const char *call, const void *p, size_t bytes) {
    size_t page = os_pages_bytes();
    if ((uintptr_t)p % page == 0 && bytes % page == 0) return;
    fprintf(stderr, "%s(%p, %zu): not whole pages of %zu bytes\n", call, p, bytes, page);
    abort();
}

// Reserves a larger range and unmaps what lies before and behind the aligned part.
int os_pages_reserve(void *at, size_t bytes, void **out) {
    size_t page = os_pages_bytes();
    os_pages_check("reserve", at, bytes);
    if (at != NULL || page == __real_mb_os_page_size()) return __real_mb_os_reserve(at, bytes, out);
    void *all;
    if (bytes > SIZE_MAX - page) return -ENOMEM;
    int error = __real_mb_os_reserve(NULL, bytes + page, &all);
    if (error != 0) return error;
    size_t before = (page - (uintptr_t)all % page) % page;
    if (before != 0) __real_mb_os_unmap(all, before);
    __real_mb_os_unmap((char *)all + before + bytes, page - before);
    *out = (char *)all + before;
    return 0;
}

long os_pages_resident(const void *p, size_t bytes) {
    size_t page = os_pages_bytes();
    long resident = 0;
    os_pages_check("resident_pages", p, bytes);
    for (size_t offset = 0; offset < bytes; offset += page) {
        long small = __real_mb_os_resident_pages((const char *)p + offset, page);
        if (small < 0) return small;
        resident += small > 0;
    }
    return resident;
}
