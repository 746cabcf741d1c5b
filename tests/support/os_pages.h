// A system whose pages are larger than this machine's: MB_TEST_PAGE_BYTES=16384 or 65536 in the environment (4096 where it is not set).
// What: for the wrapped functions of os_inject.c. mb_os_page_size answers that size, reserved addresses are multiples of it, and a call about an
// address or a length that is no multiple ends the test: a kernel with such pages would refuse it, or act on a neighbour's bytes.
// Who: any thread.
#ifndef MB_TESTS_SUPPORT_OS_PAGES_H
#define MB_TESTS_SUPPORT_OS_PAGES_H

#include <stddef.h>

size_t os_pages_bytes(void);

// The wrapped calls' own work.
int os_pages_reserve(void *at, size_t bytes, void **out);
long os_pages_resident(const void *p, size_t bytes);

void os_pages_check(const char *call, const void *p, size_t bytes);

#endif
