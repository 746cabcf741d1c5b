// The region's operations: carving, marks, zeroing, pages, limits, and its errors; effects read back from the kernel.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/base/config.h"
#include "tests/unit/regions.h"
#include "tests/unit/small_pages.h"

static void assert_error(struct mb_region *region, enum mb_error error) {
    assert_int_equal(mb_region_last_error(region), error);
    region->error = MB_OK;
}

// --- mapping --------------------------------------------------------------------------------------------------------

static void new_rounds_up_to_the_page(void **state) {
    (void)state;
    struct mb_region region = region_made(page + 1, 0, 0);
    assert_int_equal(mb_region_capacity(&region), 2 * page);
    assert_int_equal(mb_region_allocated(&region), 0);
    assert_int_equal(mb_region_remaining(&region), 2 * page);
    assert_int_equal(mb_region_committed(&region), 2 * page);
    assert_int_equal(mb_region_honoured(&region), 0);
    assert_string_equal(kernel_mapping_of(mb_region_base(&region)).access, "rw-p");
    assert_true(mb_region_contains(&region, (char *)mb_region_base(&region) + 2 * page - 1));
    assert_false(mb_region_contains(&region, (char *)mb_region_base(&region) + 2 * page));
    assert_false(mb_region_contains(&region, NULL));
    region_dropped(&region);
}

static void impossible_sizes_are_errors(void **state) {
    (void)state;
    const size_t sizes[] = {0, SIZE_MAX, SIZE_MAX - page + 2, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mb_region region;
        assert_int_equal(mb_region_new(&region, sizes[i]), MB_BAD_SIZE);
        assert_int_equal(mb_region_os_error(&region), 0); // found before any system call
        assert_int_equal(mb_region_new_lazy(&region, sizes[i]), MB_BAD_SIZE);
        assert_int_equal(mb_region_new_huge(&region, sizes[i]), MB_BAD_SIZE);
        assert_int_equal(mb_region_capacity(&region), 0);
    }
    struct mb_region region;
    assert_int_equal(mb_region_new(&region, (size_t)1 << 60), MB_REFUSED); // no such address space
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
    assert_int_equal(mb_region_last_error(&region), MB_REFUSED);
}

static void configs_of_other_versions_are_understood(void **state) {
    (void)state;
    struct mb_region region;
    struct { struct mb_region_config known; uint64_t later; } longer = {MB_REGION_CONFIG(page), 0};
    longer.known.size = sizeof longer;
    assert_int_equal(mb_region_new_with(&region, &longer.known), MB_OK);
    region_dropped(&region);
    longer.later = 1; // a wish that we do not know
    assert_int_equal(mb_region_new_with(&region, &longer.known), MB_BAD_CONFIG);
    struct mb_region_config config = MB_REGION_CONFIG(page);
    config.size = offsetof(struct mb_region_config, nodes); // an older one
    assert_int_equal(mb_region_new_with(&region, &config), MB_OK);
    region_dropped(&region);
    config.size = 8;
    assert_int_equal(mb_region_new_with(&region, &config), MB_BAD_CONFIG);
    config.size = sizeof config;
    config.prefer = MB_REGION_FLAGS + 1;
    assert_int_equal(mb_region_new_with(&region, &config), MB_BAD_CONFIG);
    config.prefer = MB_REGION_NUMA; // without nodes
    assert_int_equal(mb_region_new_with(&region, &config), MB_BAD_CONFIG);
    assert_int_equal(mb_region_last_error(&region), MB_BAD_CONFIG);
}

// --- carving --------------------------------------------------------------------------------------------------------

static void allocate_aligns_addresses(void **state) {
    (void)state;
    struct mb_region region = region_made(256 * page, 0, 0);
    for (size_t align = 1; align <= 64 * page; align *= 2) {
        char *p = mb_region_allocate(&region, 1, align);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
        *p = 1;
    }
    region_dropped(&region);
}

static void allocate_reaches_the_last_byte_and_says_full(void **state) {
    (void)state;
    struct mb_region region = region_made(2 * page, 0, 0);
    char *p = mb_region_allocate(&region, 2 * page, 1);
    assert_ptr_equal(p, mb_region_base(&region));
    memset(p, 1, 2 * page);
    assert_null(mb_region_allocate(&region, 1, 1));
    assert_error(&region, MB_FULL);
    assert_int_equal(mb_region_remaining(&region), 0);
    region_dropped(&region);
}

static void bad_requests_change_nothing(void **state) {
    (void)state;
    struct mb_region region = region_made(page, 0, 0);
    const struct { size_t bytes, align; enum mb_error error; } cases[] = {
        {0, 1, MB_BAD_SIZE},         {SIZE_MAX, 1, MB_BAD_SIZE}, {1, 0, MB_BAD_ALIGN},
        {1, 24, MB_BAD_ALIGN},       {page + 1, 1, MB_FULL},     {PTRDIFF_MAX, 1, MB_FULL},
        {1, (size_t)1 << 63, MB_FULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(mb_region_allocate(&region, cases[i].bytes, cases[i].align));
        assert_error(&region, cases[i].error);
        assert_null(mb_region_allocate_zeroed(&region, cases[i].bytes, cases[i].align));
        assert_error(&region, cases[i].error);
        assert_int_equal(mb_region_allocated(&region), 0);
    }
    region_dropped(&region);
}

static void zeroed_is_zero_after_every_reuse(void **state) {
    (void)state;
    struct mb_region region = region_made((size_t)1 << 20, 0, MB_REGION_LAZY);
    size_t mark = 0;
    for (unsigned round = 0; round < 200; round++) {
        size_t bytes = 1 + round * 37 % 5000;
        char *p = mb_region_allocate_zeroed(&region, bytes, (size_t)1 << round % 8);
        assert_non_null(p);
        assert_all_bytes(p, bytes, 0);
        memset(p, 0xff, bytes);
        if (round % 5 == 0) mark = mb_region_mark(&region);
        if (round % 7 == 0) mb_region_shrink(&region, p, bytes, bytes / 2 + 1);
        if (round % 11 == 0) assert_int_equal(mb_region_rewind(&region, mark), MB_OK);
        if (round % 50 == 0) mb_region_reset(&region), mark = 0;
    }
    region_dropped(&region);
}

static void zeroed_touches_nothing_that_the_system_has_zeroed(void **state) {
    (void)state;
    struct mb_region region = region_made(64 * page, 0, 0);
    assert_non_null(mb_region_allocate_zeroed(&region, 32 * page, 1));
    assert_int_equal(mb_os_resident_pages(mb_region_base(&region), 64 * page), 0);
    char *p = mb_region_base(&region);
    p[0] = 1;
    mb_region_reset(&region);
    p = mb_region_allocate_zeroed(&region, 64 * page, 1); // the first half must be cleared
    assert_int_equal(p[0], 0);
    assert_int_equal(mb_os_resident_pages(p, 64 * page), 32);
    region_dropped(&region);
}

// --- resizing and rewinding -----------------------------------------------------------------------------------------

static void last_block_grows_and_shrinks_in_place(void **state) {
    (void)state;
    struct mb_region region = region_made((size_t)4 << 20, 0, MB_REGION_LAZY);
    char *p = mb_region_allocate(&region, 100, 16);
    memset(p, 'a', 100);
    assert_ptr_equal(mb_region_grow(&region, p, 100, 1 << 20, 16), p);
    assert_int_equal(mb_region_allocated(&region), 1 << 20);
    memset(p + 100, 'b', (1 << 20) - 100); // committed on the way
    assert_ptr_equal(mb_region_shrink(&region, p, 1 << 20, 50), p);
    assert_int_equal(mb_region_allocated(&region), 50);
    assert_null(mb_region_grow(&region, p, 50, (4 << 20) + 1, 1));
    assert_error(&region, MB_FULL);
    assert_int_equal(mb_region_allocated(&region), 50);
    assert_all_bytes(p, 50, 'a');
    region_dropped(&region);
}

static void middle_block_is_copied_when_it_grows(void **state) {
    (void)state;
    struct mb_region region = region_made(4 * page, 0, 0);
    char *p = mb_region_allocate(&region, 100, 1), *other = mb_region_allocate(&region, 10, 1);
    memset(p, 'm', 100);
    memset(other, 'o', 10);
    char *grown = mb_region_grow(&region, p, 100, 300, 64);
    assert_true(grown > other);
    assert_int_equal((uintptr_t)grown % 64, 0);
    assert_all_bytes(grown, 100, 'm');
    size_t before = mb_region_allocated(&region);
    assert_ptr_equal(mb_region_shrink(&region, p, 100, 10), p); // never allocates
    assert_int_equal(mb_region_allocated(&region), before);
    char *aligned = mb_region_grow(&region, grown, 300, 301, 2 * page); // last, but not aligned enough
    assert_int_equal((uintptr_t)aligned % (2 * page), 0);
    assert_all_bytes(aligned, 100, 'm');
    region_dropped(&region);
}

static void resizing_refuses_what_is_no_block(void **state) {
    (void)state;
    struct mb_region region = region_made(page, 0, 0);
    char *p = mb_region_allocate(&region, 100, 1);
    assert_null(mb_region_grow(&region, p, 101, 200, 1)); // longer than everything handed out
    assert_error(&region, MB_BAD_POINTER);
    assert_null(mb_region_grow(&region, &region, 8, 16, 1)); // foreign
    assert_error(&region, MB_BAD_POINTER);
    assert_null(mb_region_grow(&region, p, 100, 99, 1));
    assert_error(&region, MB_BAD_SIZE);
    assert_null(mb_region_grow(&region, p, 100, 200, 3));
    assert_error(&region, MB_BAD_ALIGN);
    assert_null(mb_region_shrink(&region, p, 100, 101));
    assert_error(&region, MB_BAD_SIZE);
    assert_null(mb_region_shrink(&region, p, 100, 0));
    assert_error(&region, MB_BAD_SIZE);
    assert_null(mb_region_shrink(&region, p + 100, 1, 1));
    assert_error(&region, MB_BAD_POINTER);
    assert_null(mb_region_grow(&region, p + 1, 99, 200, 1)); // ends where the newest ends, but starts inside it
    assert_error(&region, MB_BAD_POINTER);
    assert_null(mb_region_grow(&region, p, 99, 200, 1)); // not the size it has
    assert_error(&region, MB_BAD_POINTER);
    assert_int_equal(mb_region_deallocate(&region, p), MB_OK);
    assert_int_equal(mb_region_deallocate(&region, p + 100), MB_BAD_POINTER); // never carved
    assert_int_equal(mb_region_deallocate(&region, &region), MB_BAD_POINTER);
    assert_int_equal(mb_region_allocated(&region), 100);
    region_dropped(&region);
}

static void marks_nest_and_foreign_marks_fail(void **state) {
    (void)state;
    struct mb_region region = region_made(page, 0, 0);
    mb_region_allocate(&region, 10, 1);
    size_t outer = mb_region_mark(&region);
    mb_region_allocate(&region, 10, 1);
    size_t inner = mb_region_mark(&region);
    assert_int_equal(mb_region_rewind(&region, outer), MB_OK);
    assert_int_equal(mb_region_rewind(&region, inner), MB_BAD_RANGE);
    assert_int_equal(mb_region_allocated(&region), 10);
    mb_region_reset(&region);
    assert_int_equal(mb_region_allocated(&region), 0);
    region_dropped(&region);
}

static void the_newest_block_has_a_size(void **state) {
    (void)state;
    struct mb_region region = region_made(page, 0, 0);
    char *first = mb_region_allocate(&region, 10, 1);
    assert_int_equal(mb_region_usable_size(&region, first), 10);
    size_t mark = mb_region_mark(&region);
    char *p = mb_region_allocate(&region, 30, 1);
    assert_int_equal(mb_region_usable_size(&region, p), 30);
    assert_int_equal(mb_region_usable_size(&region, first), 0); // unknown
    assert_int_equal(mb_region_usable_size(&region, p + 1), 0);
    assert_ptr_equal(mb_region_grow(&region, p, 30, 50, 1), p);
    assert_ptr_equal(mb_region_shrink(&region, p, 50, 20), p);
    assert_int_equal(mb_region_usable_size(&region, p), 20);
    assert_int_equal(mb_region_rewind(&region, mark), MB_OK);
    assert_int_equal(mb_region_usable_size(&region, p), 0);
    assert_ptr_equal(mb_region_grow(&region, first, 10, 12, 1), first); // by its end
    assert_int_equal(mb_region_usable_size(&region, first), 12);
    region_dropped(&region);
}

// The region's numbers overwritten one by one, by a bit that makes them impossible: each call says so and changes
// nothing.
static void damaged_numbers_are_found_and_counted(void **state) {
    (void)state;
    struct mb_region region = region_made(4 * page, 0, 0), good;
    char *p = mb_region_allocate(&region, 100, 1);
    good = region;
    size_t *const words[] = {&region.bump.base, &region.bump.next, &region.bump.end, &region.newest, &region.dirty, &region.populated};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        uint64_t events = mb_region_corruption_events(&region);
        *words[i] ^= (size_t)1 << 62;
        assert_null(mb_region_allocate(&region, 1, 1));
        assert_int_equal(mb_region_last_error(&region), MB_CORRUPT);
        assert_null(mb_region_grow(&region, p, 100, 200, 1));
        assert_null(mb_region_shrink(&region, p, 100, 20));
        assert_int_equal(mb_region_deallocate(&region, p), MB_CORRUPT);
        assert_int_equal(mb_region_commit(&region, 0, 1), MB_CORRUPT);
        assert_int_equal(mb_region_reset(&region), MB_CORRUPT);
        assert_int_equal(mb_region_release_pages(&region, p, page), MB_CORRUPT);
        assert_int_equal(mb_region_protect(&region, p, page, MB_OS_NONE), MB_CORRUPT);
        assert_int_equal(mb_region_drop(&region), MB_CORRUPT);
        assert_int_equal(mb_region_corruption_events(&region), events + 9);
        *words[i] ^= (size_t)1 << 62;
    }
    assert_memory_equal(&region.bump, &good.bump, sizeof good.bump);
    region_dropped(&region);
}

// --- owner ----------------------------------------------------------------------------------------------------------

static void *carve(void *region) { return mb_region_allocate(region, 1, 1); }

static void *carve_in_a_thread(struct mb_region *region) {
    pthread_t thread;
    void *p = NULL;
    assert_int_equal(pthread_create(&thread, NULL, carve, region), 0);
    assert_int_equal(pthread_join(thread, &p), 0);
    return p;
}

static bool second_thread_carves(void *region) { return carve_in_a_thread(region) != NULL; }

static void a_second_thread_needs_a_hand_over(void **state) {
    (void)state;
    struct mb_region region = region_made(page, 0, 0);
    assert_non_null(mb_region_allocate(&region, 1, 1));
    // The report of a check build: "used by a second thread without hand-over".
    assert_int_equal(child_outcome(second_thread_carves, &region), MB_CHECKS ? SIGABRT : 0);
    mb_region_hand_over(&region);
    assert_non_null(carve_in_a_thread(&region));
    mb_region_hand_over(&region); // the thread is gone: so may its successor
    assert_non_null(mb_region_allocate(&region, 1, 1));
    region_dropped(&region);
}

// --- pages ----------------------------------------------------------------------------------------------------------

static void release_pages_gives_back_and_keeps_addresses(void **state) {
    (void)state;
    struct mb_region region = region_made(8 * page, 0, 0);
    char *p = mb_region_allocate(&region, 8 * page, page);
    memset(p, 'r', 8 * page);
    assert_int_equal(mb_region_release_pages(&region, p + 2 * page, 4 * page), MB_OK);
    assert_int_equal(mb_os_resident_pages(p, 8 * page), 4);
    assert_all_bytes(p + 2 * page, 4 * page, 0);
    assert_all_bytes(p, 2 * page, 'r');
    const struct { ptrdiff_t offset; size_t bytes; } bad[] = {
        {1, page}, {0, page + 1}, {0, 0}, {0, 9 * page}, {-(ptrdiff_t)page, page}, {(ptrdiff_t)(8 * page), page}, {0, SIZE_MAX - page + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        void *at = (void *)((uintptr_t)p + (uintptr_t)bad[i].offset);
        assert_int_equal(mb_region_release_pages(&region, at, bad[i].bytes), MB_BAD_RANGE);
        assert_int_equal(mb_region_protect(&region, at, bad[i].bytes, MB_OS_NONE), MB_BAD_RANGE);
    }
    assert_all_bytes(p, 2 * page, 'r');
    region_dropped(&region);
}

static void released_pages_are_known_zero(void **state) {
    (void)state;
    struct mb_region region = region_made(8 * page, 0, 0);
    memset(mb_region_allocate(&region, 8 * page, page), 'r', 8 * page);
    char *p = mb_region_base(&region);
    mb_region_reset(&region);
    assert_int_equal(mb_region_release_pages(&region, p + 2 * page, 6 * page), MB_OK);
    assert_ptr_equal(mb_region_allocate_zeroed(&region, 8 * page, page), p);
    assert_int_equal(mb_os_resident_pages(p, 8 * page), 2); // only what was still dirty has been cleared
    assert_all_bytes(p, 8 * page, 0);
    memset(p, 'r', 8 * page);
    mb_region_reset(&region);
    assert_int_equal(mb_region_release_pages(&region, p + 2 * page, 2 * page), MB_OK); // a hole in the middle
    assert_ptr_equal(mb_region_allocate_zeroed(&region, 8 * page, page), p);
    assert_all_bytes(p, 8 * page, 0);
    region_dropped(&region);
}

static void protect_acts_on_committed_pages(void **state) {
    (void)state;
    struct mb_region region = region_made((size_t)1 << 20, 0, MB_REGION_LAZY);
    char *p = mb_region_allocate(&region, page, page);
    assert_int_equal(mb_region_protect(&region, p, page, MB_OS_READ), MB_OK);
    assert_string_equal(kernel_mapping_of(p).access, "r--p");
    assert_int_equal(child_outcome(child_writes, p), SIGSEGV);
    assert_int_equal(mb_region_protect(&region, p, page, MB_OS_READ | MB_OS_EXEC), MB_OK);
    assert_string_equal(kernel_mapping_of(p).access, "r-xp");
    assert_int_equal(mb_region_protect(&region, p, page, MB_OS_READ | MB_OS_WRITE), MB_OK);
    size_t committed = mb_region_committed(&region);
    assert_int_equal(mb_region_protect(&region, p + committed, page, MB_OS_READ), MB_BAD_RANGE);
    assert_int_equal(mb_region_protect(&region, p, page, MB_OS_EXEC << 1), MB_BAD_CONFIG);
    region_dropped(&region);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_rounds_up_to_the_page),
        cmocka_unit_test(impossible_sizes_are_errors),
        cmocka_unit_test(configs_of_other_versions_are_understood),
        cmocka_unit_test(allocate_aligns_addresses),
        cmocka_unit_test(allocate_reaches_the_last_byte_and_says_full),
        cmocka_unit_test(bad_requests_change_nothing),
        cmocka_unit_test(zeroed_is_zero_after_every_reuse),
        cmocka_unit_test(zeroed_touches_nothing_that_the_system_has_zeroed),
        cmocka_unit_test(last_block_grows_and_shrinks_in_place),
        cmocka_unit_test(middle_block_is_copied_when_it_grows),
        cmocka_unit_test(resizing_refuses_what_is_no_block),
        cmocka_unit_test(marks_nest_and_foreign_marks_fail),
        cmocka_unit_test(the_newest_block_has_a_size),
        cmocka_unit_test(damaged_numbers_are_found_and_counted),
        cmocka_unit_test(a_second_thread_needs_a_hand_over),
        cmocka_unit_test(release_pages_gives_back_and_keeps_addresses),
        cmocka_unit_test(released_pages_are_known_zero),
        cmocka_unit_test(protect_acts_on_committed_pages),
    };
    return cmocka_run_group_tests_name("region: operations", tests, begin, NULL);
}
