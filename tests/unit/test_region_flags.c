// Every flag for a region's mapping: its effect as the kernel shows it, and what is reported if it cannot be honoured.
#include <errno.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/regions.h"

static size_t page, huge;

static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    kernel_small_pages(true);
    huge = mb_os_huge_page_size();
    return 0;
}

// --- lazy commit ----------------------------------------------------------------------------------------------------

static void lazy_commits_what_is_carved(void **state) {
    (void)state;
    struct mb_region region = region_made((size_t)64 << 20, 0, MB_REGION_LAZY);
    char *base = mb_region_base(&region);
    assert_int_equal(mb_region_committed(&region), 0);
    assert_string_equal(kernel_mapping_of(base).access, "---p");
    char *p = mb_region_allocate(&region, 100000, 16);
    p[99999] = 1;
    size_t committed = mb_region_committed(&region);
    assert_true(committed >= 100000 && committed < 1 << 20);
    assert_string_equal(kernel_mapping_of(base).access, "rw-p");
    assert_ptr_equal(kernel_mapping_of(base).last, base + committed);
    assert_int_equal(child_outcome(child_writes, base + committed), SIGSEGV);
    assert_int_equal(mb_os_resident_pages(base, mb_region_capacity(&region)), 1);
    region_dropped(&region);
}

static void lazy_terabyte_works_to_its_end(void **state) {
    (void)state;
    const size_t terabyte = (size_t)1 << 40;
    struct mb_region region;
    enum mb_error plain = mb_region_new(&region, terabyte); // unless the system overcommits without bound
    if (plain == MB_OK) assert_int_equal(mb_region_drop(&region), MB_OK);
    else assert_true(plain == MB_REFUSED && mb_region_os_error(&region) == -ENOMEM);
    if (region_try(&region, terabyte, 0, MB_REGION_LAZY) != MB_OK) {
        assert_int_equal(mb_region_os_error(&region), -ENOMEM); // a limit on address space
        skip();
    }
    char *p = mb_region_allocate(&region, 1 << 20, 16);
    p[(1 << 20) - 1] = 1;
    assert_true(mb_region_committed(&region) < (size_t)16 << 20);
    assert_null(mb_region_allocate(&region, terabyte, 1));
    assert_int_equal(mb_region_last_error(&region), MB_FULL);
    region_dropped(&region);
}

static void commit_is_idempotent_and_bounded(void **state) {
    (void)state;
    struct mb_region region = region_made((size_t)1 << 20, 0, MB_REGION_LAZY);
    size_t capacity = mb_region_capacity(&region);
    assert_int_equal(mb_region_commit(&region, capacity, 1), MB_BAD_RANGE);
    assert_int_equal(mb_region_commit(&region, 1, capacity), MB_BAD_RANGE);
    assert_int_equal(mb_region_commit(&region, 1, SIZE_MAX), MB_BAD_RANGE);
    assert_int_equal(mb_region_committed(&region), 0);
    assert_int_equal(mb_region_commit(&region, 200000, 1), MB_OK);
    size_t committed = mb_region_committed(&region);
    assert_true(committed > 200000);
    ((char *)mb_region_base(&region))[200000] = 1;
    assert_int_equal(mb_region_commit(&region, 0, 200000), MB_OK);
    assert_int_equal(mb_region_committed(&region), committed);
    assert_int_equal(mb_region_commit(&region, 0, capacity), MB_OK);
    assert_int_equal(mb_region_commit(&region, capacity, 0), MB_OK);
    assert_int_equal(mb_region_committed(&region), capacity);
    assert_int_equal(mb_region_allocated(&region), 0);
    region_dropped(&region);
}

// --- populate -------------------------------------------------------------------------------------------------------

static void populate_makes_all_resident(void **state) {
    (void)state;
    struct mb_region region = region_made(100 * page, 0, MB_REGION_POPULATE);
    assert_int_equal(mb_os_resident_pages(mb_region_base(&region), 100 * page), 100);
    region_dropped(&region);
}

static void populate_follows_lazy_commits(void **state) {
    (void)state;
    struct mb_region region = region_made((size_t)16 << 20, 0, MB_REGION_POPULATE | MB_REGION_LAZY);
    char *base = mb_region_base(&region);
    assert_int_equal(mb_os_resident_pages(base, mb_region_capacity(&region)), 0);
    for (int i = 0; i < 20; i++) {
        assert_non_null(mb_region_allocate(&region, 50000, 16));
        size_t committed = mb_region_committed(&region);
        assert_int_equal(mb_os_resident_pages(base, mb_region_capacity(&region)), committed / page);
    }
    region_dropped(&region);
}

static int allow_huge(void **state) {
    (void)state;
    kernel_small_pages(false);
    return 0;
}

static int forbid_huge(void **state) {
    (void)state;
    kernel_small_pages(true);
    return 0;
}

// --- huge pages -----------------------------------------------------------------------------------------------------

static void huge_pages_are_really_huge(void **state) {
    (void)state;
    if (!mb_os_huge_pages_enabled()) skip();
    struct mb_region region = region_made(2 * huge + 1, 0, MB_REGION_HUGE_PAGES);
    char *base = mb_region_base(&region);
    assert_int_equal((uintptr_t)base % huge, 0);
    assert_int_equal(mb_region_capacity(&region), 3 * huge);
    assert_true(kernel_has_flag(base, "hg"));
    assert_int_equal(mb_region_huge_bytes(&region), 0);
    base[2 * huge] = 1; // the last one too is a whole one
    assert_int_equal(kernel_mapping_of(base).huge_kib, huge >> 10);
    assert_int_equal(mb_region_huge_bytes(&region), huge);
    region_dropped(&region);
}

static void huge_pages_come_with_lazy_commits(void **state) {
    (void)state;
    if (!mb_os_huge_pages_enabled() || huge > (size_t)64 << 20) skip(); // 512 MiB each, where others have 64 KiB
    struct mb_region region;
    assert_int_equal(mb_region_new_huge(&region, 32 * huge), MB_OK);
    assert_int_equal(mb_region_honoured(&region), MB_REGION_LAZY | MB_REGION_HUGE_PAGES);
    for (size_t carved = 0; carved < 8 * huge; carved += 1 << 16) // if 64 KiB at a time were committed, none would form
        memset(mb_region_allocate(&region, 1 << 16, 64), 1, 1 << 16);
    assert_int_equal(kernel_mapping_of(mb_region_base(&region)).huge_kib, 8 * huge >> 10);
    assert_int_equal(mb_region_huge_bytes(&region), 8 * huge);
    region_dropped(&region);
}

static bool without_huge_pages(void *unused) {
    struct mb_region region;
    (void)unused;
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) return true;
    if (mb_region_supported(MB_REGION_HUGE_PAGES) != 0) return false;
    if (region_try(&region, huge, MB_REGION_HUGE_PAGES, 0) != MB_OK) return false;
    if (mb_region_honoured(&region) != 0 || mb_region_drop(&region) != MB_OK) return false;
    return region_try(&region, huge, 0, MB_REGION_HUGE_PAGES) == MB_UNSUPPORTED &&
           mb_region_os_error(&region) == -EOPNOTSUPP;
}

static void huge_pages_that_are_off_are_reported(void **state) {
    (void)state;
    assert_int_equal(child_outcome(without_huge_pages, NULL), 0);
}

// --- NUMA -----------------------------------------------------------------------------------------------------------

static unsigned long bound_nodes(void *p) {
    unsigned long nodes[16] = {0};
    int mode = -1;
    assert_int_equal(syscall(SYS_get_mempolicy, &mode, nodes, 1024, p, MPOL_F_ADDR), 0);
    return mode == MPOL_BIND ? nodes[0] : 0;
}

static void numa_binds_all_of_it(void **state) {
    (void)state;
    if (mb_region_supported(MB_REGION_NUMA) == 0) skip();
    const uint64_t node_0 = 1, node_1023[16] = {[15] = UINT64_C(1) << 63};
    struct mb_region region;
    struct mb_region_config config = MB_REGION_CONFIG(8 * page);
    config.require = MB_REGION_NUMA | MB_REGION_LAZY | MB_REGION_GUARD_AT_END;
    config.nodes = &node_0;
    config.node_words = 1;
    assert_int_equal(mb_region_new_with(&region, &config), MB_OK);
    char *p = mb_region_allocate(&region, 8 * page, page);
    memset(p, 1, 8 * page);
    assert_int_equal(bound_nodes(p), 1);
    assert_int_equal(bound_nodes(p + 7 * page), 1);
    region_dropped(&region);
    config.nodes = node_1023;
    config.node_words = 16;
    assert_int_equal(mb_region_new_with(&region, &config), MB_UNSUPPORTED);
    assert_int_equal(mb_region_os_error(&region), -EINVAL);
    config.prefer = config.require;
    config.require = 0;
    assert_int_equal(mb_region_new_with(&region, &config), MB_OK);
    assert_int_equal(mb_region_honoured(&region), MB_REGION_LAZY | MB_REGION_GUARD_AT_END);
    region_dropped(&region);
}

// --- guard ----------------------------------------------------------------------------------------------------------

static void guard_catches_the_first_byte_behind(void **state) {
    (void)state;
    const uint32_t others[] = {0, MB_REGION_LAZY, MB_REGION_POPULATE, MB_REGION_LAZY | MB_REGION_HUGE_PAGES};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct mb_region region = region_made(3 * page, others[i], MB_REGION_GUARD_AT_END);
        size_t capacity = mb_region_capacity(&region);
        char *p = mb_region_allocate(&region, capacity, 1);
        assert_int_equal(child_outcome(child_writes, p + capacity - 1), 0);
        assert_int_equal(child_outcome(child_writes, p + capacity), SIGSEGV);
        assert_int_equal(child_outcome(child_reads, p + capacity + page - 1), SIGSEGV);
        assert_int_equal(kernel_mapping_of(p + capacity).rss_kib, 0);
        region_dropped(&region);
        struct kernel_mapping mapping;
        assert_false(kernel_mapping_at(p + capacity, &mapping));
    }
}

// --- probes ---------------------------------------------------------------------------------------------------------

static void supported_flags_are_those_that_are_honoured(void **state) {
    (void)state;
    uint32_t supported = mb_region_supported(MB_REGION_FLAGS);
    const uint32_t always = MB_REGION_LAZY | MB_REGION_POPULATE | MB_REGION_GUARD_AT_END;
    assert_int_equal(supported & always, always);
    assert_int_equal(mb_region_supported(0), 0);
    assert_int_equal(mb_region_supported(MB_REGION_LAZY), MB_REGION_LAZY);
    for (uint32_t flag = 1; flag < MB_REGION_FLAGS; flag <<= 1) {
        struct mb_region region;
        if (flag == MB_REGION_NUMA) continue; // needs nodes: above
        bool made_it = region_try(&region, 1, 0, flag) == MB_OK;
        assert_int_equal(made_it, (supported & flag) != 0);
        if (made_it) region_dropped(&region);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lazy_commits_what_is_carved),
        cmocka_unit_test(lazy_terabyte_works_to_its_end),
        cmocka_unit_test(commit_is_idempotent_and_bounded),
        cmocka_unit_test(populate_makes_all_resident),
        cmocka_unit_test(populate_follows_lazy_commits),
        cmocka_unit_test_setup_teardown(huge_pages_are_really_huge, allow_huge, forbid_huge),
        cmocka_unit_test_setup_teardown(huge_pages_come_with_lazy_commits, allow_huge, forbid_huge),
        cmocka_unit_test(huge_pages_that_are_off_are_reported),
        cmocka_unit_test(numa_binds_all_of_it),
        cmocka_unit_test(guard_catches_the_first_byte_behind),
        cmocka_unit_test(supported_flags_are_those_that_are_honoured),
    };
    return cmocka_run_group_tests_name("region: flags", tests, begin, NULL);
}
