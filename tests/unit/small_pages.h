// For tests that count pages: without transparent huge pages, and with the size of a page in `page`.
#ifndef MB_TESTS_UNIT_SMALL_PAGES_H
#define MB_TESTS_UNIT_SMALL_PAGES_H

#include "platform/os.h"
#include "tests/unit/kernel.h"

static size_t page;

// The set-up of a group of tests.
static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    kernel_small_pages(true);
    return 0;
}

#endif
