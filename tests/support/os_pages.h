// Simulates a system with larger pages than this machine's: MB_TEST_PAGE_BYTES=16384 or 65536 in the environment (4096
// where it is not set).
//
// What: used by the wrapped functions of tests/support/os_inject.c. mb_os_page_size returns that size and reserved
// addresses are multiples of it. A call with an address or length that is no multiple ends the test, since a kernel
// with such pages would refuse the call or round it over a neighbour's bytes.
// Who: any thread.
#ifndef MB_TESTS_SUPPORT_OS_PAGES_H
#define MB_TESTS_SUPPORT_OS_PAGES_H

#include <stddef.h>

size_t os_pages_bytes(void);

// The behaviour of the wrapped mb_os_reserve and mb_os_resident_pages.
int os_pages_reserve(void *at, size_t bytes, void **out);
long os_pages_resident(const void *p, size_t bytes);

void os_pages_check(const char *call, const void *p, size_t bytes);

#endif
