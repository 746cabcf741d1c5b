// Memory for the tests of the platform layer; also includes cmocka with the headers it requires.
#ifndef MB_TESTS_UNIT_MEMORY_H
#define MB_TESTS_UNIT_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/compiler.h"
#include "platform/os.h"

// More memory than can be committed, but not more than fits beside the thread sanitizer's own.
static const size_t MORE_THAN_MEMORY = (size_t)1 << (MB_TSAN ? 38 : 40);

static inline char *reserved_memory(size_t bytes) {
    void *p = NULL;
    assert_int_equal(mb_os_reserve(NULL, bytes, &p), 0);
    assert_non_null(p);
    return p;
}

static inline char *committed_memory(size_t bytes) {
    char *p = reserved_memory(bytes);
    assert_int_equal(mb_os_commit(p, bytes), 0);
    return p;
}

static inline void assert_all_bytes(const char *p, size_t bytes, char value) {
    for (size_t i = 0; i < bytes; i++) assert_int_equal(p[i], value);
}

#endif
