// The locked region over an operating system that refuses each call in turn: no region is made, the reason is kept,
// nothing stays mapped; and what is returned to the system at the end.
#include "core/region/locked.h"

#include <errno.h>
#include <string.h>

#include "platform/file_linux.h"
#include "tests/unit/memory.h"
#include "tests/unit/refusing_os.h"

static uint64_t mapped_pages(void) {
    uint64_t pages = 0;
    assert_true(mb_file_numbers("/proc/self/statm", &pages, 1));
    return pages;
}

static void every_refused_call_of_a_start_is_an_error(void **state) {
    (void)state;
    const enum os_call calls[] = {OS_RESERVE, OS_COMMIT, OS_NO_DUMP, OS_WIPE_ON_FORK, OS_LOCK};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct mb_locked locked;
        uint64_t before = mapped_pages();
        os_refuse(1u << calls[i], 0, 1);
        assert_int_equal(mb_locked_new(&locked, 10000), MB_REFUSED);
        assert_int_equal(os.refused, 1);
        assert_int_equal(mb_locked_last_error(&locked), MB_REFUSED);
        assert_int_equal(mb_locked_os_error(&locked), calls[i] == OS_LOCK ? -EPERM : -ENOMEM);
        assert_int_equal(mb_locked_capacity(&locked), 0);
        assert_int_equal(mapped_pages(), before);
        os_allow_all();
    }
}

// The unmap that follows may fail, too: the error is still the reason for which there is no lock.
static void the_reason_survives_the_unmap(void **state) {
    (void)state;
    struct mb_locked locked;
    os_refuse(1u << OS_LOCK | 1u << OS_UNMAP, 0, 2);
    assert_int_equal(mb_locked_new(&locked, 10000), MB_REFUSED);
    assert_int_equal(os.refused, 2);
    assert_int_equal(mb_locked_os_error(&locked), -EPERM);
    os_allow_all();
}

static size_t bytes_seen;

// Every readable byte of the memory that is returned is zero, except for the mark in front.
static void expect_zeros(const void *p, size_t bytes) {
    size_t page = mb_os_page_size();
    const char *first = (const char *)p + page + 64;
    bytes_seen = bytes - 2 * page - 64;
    assert_all_bytes(first, bytes_seen, 0);
}

static void what_the_system_gets_back_is_zero(void **state) {
    (void)state;
    struct mb_locked locked;
    os_allow_all();
    assert_int_equal(mb_locked_new(&locked, 10000), MB_OK);
    size_t capacity = mb_locked_capacity(&locked);
    memset(mb_locked_allocate(&locked, capacity, 1), 'x', capacity);
    os.before_unmap = expect_zeros;
    assert_int_equal(mb_locked_drop(&locked), MB_OK);
    assert_int_equal(bytes_seen, capacity);
    os_allow_all();
}

static void refused_drop_and_protect_keep_the_region(void **state) {
    (void)state;
    struct mb_locked locked;
    os_allow_all();
    assert_int_equal(mb_locked_new(&locked, 100), MB_OK);
    os_refuse(1u << OS_UNMAP | 1u << OS_PROTECT, 0, 2);
    assert_int_equal(mb_locked_protect(&locked, MB_OS_NONE), MB_REFUSED);
    assert_int_equal(mb_locked_drop(&locked), MB_REFUSED);
    assert_int_equal(mb_locked_os_error(&locked), -ENOMEM);
    os_allow_all();
    assert_non_null(mb_locked_allocate(&locked, 100, 1));
    assert_int_equal(mb_locked_drop(&locked), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refused_call_of_a_start_is_an_error),
        cmocka_unit_test(the_reason_survives_the_unmap),
        cmocka_unit_test(what_the_system_gets_back_is_zero),
        cmocka_unit_test(refused_drop_and_protect_keep_the_region),
    };
    return cmocka_run_group_tests_name("locked region: refusals", tests, NULL, NULL);
}
