// Every wish about a region's mapping: its effect as the kernel shows it, and what is said where it cannot be honoured.
#include <errno.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/region/region.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static size_t page, huge;

static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    huge = mb_os_huge_page_size();
    return 0;
}

static enum mb_region_error try_with(struct mb_region *region, size_t bytes, uint32_t prefer, uint32_t require) {
    struct mb_region_config config = MB_REGION_CONFIG(bytes);
    config.prefer = prefer;
    config.require = require;
    return mb_region_new_with(region, &config);
}

static struct mb_region made(size_t bytes, uint32_t prefer, uint32_t require) {
    struct mb_region region;
    assert_int_equal(try_with(&region, bytes, prefer, require), MB_REGION_OK);
    assert_int_equal(mb_region_honoured(&region) & require, require);
    return region;
}

static void dropped(struct mb_region *region) {
    void *last = (char *)mb_region_base(region) + region->mapped - 1;
    struct kernel_mapping mapping;
    assert_true(mb_region_check(region));
    assert_int_equal(mb_region_drop(region), MB_REGION_OK);
    assert_false(kernel_mapping_at(last, &mapping));
}

// --- lazy commit ----------------------------------------------------------------------------------------------------

static void lazy_commits_what_is_carved(void **state) {
    (void)state;
    struct mb_region region = made((size_t)64 << 20, 0, MB_REGION_LAZY);
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
    dropped(&region);
}

static void lazy_terabyte_works_to_its_end(void **state) {
    (void)state;
    const size_t terabyte = (size_t)1 << 40;
    struct mb_region region;
    if (try_with(&region, terabyte, 0, MB_REGION_LAZY) != MB_REGION_OK) {
        assert_int_equal(mb_region_os_error(&region), -ENOMEM); // a limit on address space
        skip();
    }
    char *p = mb_region_allocate(&region, 1 << 20, 16);
    p[(1 << 20) - 1] = 1;
    assert_true(mb_region_committed(&region) < (size_t)16 << 20);
    assert_null(mb_region_allocate(&region, terabyte, 1));
    assert_int_equal(mb_region_last_error(&region), MB_REGION_FULL);
    dropped(&region);
}

static void commit_is_idempotent_and_bounded(void **state) {
    (void)state;
    struct mb_region region = made((size_t)1 << 20, 0, MB_REGION_LAZY);
    size_t capacity = mb_region_capacity(&region);
    assert_int_equal(mb_region_commit(&region, capacity, 1), MB_REGION_BAD_RANGE);
    assert_int_equal(mb_region_commit(&region, 1, capacity), MB_REGION_BAD_RANGE);
    assert_int_equal(mb_region_commit(&region, 1, SIZE_MAX), MB_REGION_BAD_RANGE);
    assert_int_equal(mb_region_committed(&region), 0);
    assert_int_equal(mb_region_commit(&region, 200000, 1), MB_REGION_OK);
    size_t committed = mb_region_committed(&region);
    assert_true(committed > 200000);
    ((char *)mb_region_base(&region))[200000] = 1;
    assert_int_equal(mb_region_commit(&region, 0, 200000), MB_REGION_OK);
    assert_int_equal(mb_region_committed(&region), committed);
    assert_int_equal(mb_region_commit(&region, 0, capacity), MB_REGION_OK);
    assert_int_equal(mb_region_commit(&region, capacity, 0), MB_REGION_OK);
    assert_int_equal(mb_region_committed(&region), capacity);
    assert_int_equal(mb_region_allocated(&region), 0);
    dropped(&region);
}

// --- populate -------------------------------------------------------------------------------------------------------

static void populate_makes_all_resident(void **state) {
    (void)state;
    struct mb_region region = made(100 * page, 0, MB_REGION_POPULATE);
    assert_int_equal(mb_os_resident_pages(mb_region_base(&region), 100 * page), 100);
    dropped(&region);
}

static void populate_follows_lazy_commits(void **state) {
    (void)state;
    struct mb_region region = made((size_t)16 << 20, 0, MB_REGION_POPULATE | MB_REGION_LAZY);
    char *base = mb_region_base(&region);
    assert_int_equal(mb_os_resident_pages(base, mb_region_capacity(&region)), 0);
    for (int i = 0; i < 20; i++) {
        assert_non_null(mb_region_allocate(&region, 50000, 16));
        size_t committed = mb_region_committed(&region);
        assert_int_equal(mb_os_resident_pages(base, mb_region_capacity(&region)), committed / page);
    }
    dropped(&region);
}

// --- huge pages -----------------------------------------------------------------------------------------------------

static void huge_pages_are_really_huge(void **state) {
    (void)state;
    if (!mb_os_huge_pages_enabled()) skip();
    struct mb_region region = made(2 * huge + 1, 0, MB_REGION_HUGE_PAGES);
    char *base = mb_region_base(&region);
    assert_int_equal((uintptr_t)base % huge, 0);
    assert_int_equal(mb_region_capacity(&region), 3 * huge);
    assert_true(kernel_has_flag(base, "hg"));
    base[2 * huge] = 1; // the last one too is a whole one
    assert_int_equal(kernel_mapping_of(base).huge_kib, huge >> 10);
    dropped(&region);
}

static void huge_pages_come_with_lazy_commits(void **state) {
    (void)state;
    if (!mb_os_huge_pages_enabled()) skip();
    struct mb_region region;
    assert_int_equal(mb_region_new_huge(&region, (size_t)64 << 20), MB_REGION_OK);
    assert_int_equal(mb_region_honoured(&region), MB_REGION_LAZY | MB_REGION_HUGE_PAGES);
    memset(mb_region_allocate(&region, 8 * huge, 64), 1, 8 * huge); // 4 KiB at a time would make no huge page
    assert_int_equal(kernel_mapping_of(mb_region_base(&region)).huge_kib, 8 * huge >> 10);
    dropped(&region);
}

static bool without_huge_pages(void *unused) {
    struct mb_region region;
    (void)unused;
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) return true;
    if (mb_region_supported(MB_REGION_HUGE_PAGES) != 0) return false;
    if (try_with(&region, huge, MB_REGION_HUGE_PAGES, 0) != MB_REGION_OK) return false;
    if (mb_region_honoured(&region) != 0 || mb_region_drop(&region) != MB_REGION_OK) return false;
    return try_with(&region, huge, 0, MB_REGION_HUGE_PAGES) == MB_REGION_UNSUPPORTED &&
           mb_region_os_error(&region) == -EOPNOTSUPP;
}

static void huge_pages_that_are_off_are_reported(void **state) {
    (void)state;
    assert_int_equal(child_outcome(without_huge_pages, NULL), 0);
}

// --- set-aside huge pages -------------------------------------------------------------------------------------------

static const char pool_path[] = "/proc/sys/vm/nr_hugepages";

static long pool_size(void) {
    FILE *file = fopen(pool_path, "r");
    long pages = -1;
    if (file == NULL) return -1;
    if (fscanf(file, "%ld", &pages) != 1) pages = -1;
    fclose(file);
    return pages;
}

static bool set_pool_size(long pages) {
    FILE *file = fopen(pool_path, "w");
    if (file == NULL) return false;
    fprintf(file, "%ld\n", pages);
    return fclose(file) == 0 && pool_size() == pages;
}

static int grow_pool(void **state) {
    static long before;
    before = pool_size();
    *state = &before;
    if (before >= 0 && !set_pool_size(before + 4)) set_pool_size(before);
    return 0;
}

static int shrink_pool(void **state) {
    long before = *(long *)*state;
    if (before >= 0 && pool_size() != before) set_pool_size(before);
    return 0;
}

static void hugetlb_takes_set_aside_pages(void **state) {
    if (pool_size() < *(long *)*state + 4) skip(); // not root, or no memory for them
    struct mb_region region = made(2 * huge, 0, MB_REGION_HUGETLB | MB_REGION_GUARD_AT_END | MB_REGION_LAZY);
    char *base = mb_region_base(&region);
    assert_true(kernel_has_flag(base, "ht"));
    char *p = mb_region_allocate_zeroed(&region, 2 * huge, 64);
    assert_all_bytes(p, 2 * huge, 0);
    memset(p, 't', 2 * huge);
    assert_int_equal(child_outcome(child_writes, p + 2 * huge), SIGSEGV);
    assert_int_equal(mb_region_release_pages(&region, p, page), MB_REGION_BAD_RANGE);
    if (mb_region_release_pages(&region, p, huge) == MB_REGION_OK) assert_int_equal(p[0], 0); // Linux 5.18
    dropped(&region);
    region = made(huge, 0, MB_REGION_HUGETLB | MB_REGION_HUGE_PAGES | MB_REGION_POPULATE);
    assert_int_equal(mb_os_resident_pages(mb_region_base(&region), huge), huge / page);
    dropped(&region);
}

static void hugetlb_falls_back_and_says_so(void **state) {
    (void)state;
    const size_t too_much = (size_t)1 << 42; // nobody sets so many aside
    struct mb_region region;
    if (try_with(&region, too_much, MB_REGION_HUGETLB | MB_REGION_LAZY, 0) != MB_REGION_OK) skip(); // limited address space
    assert_int_equal(mb_region_honoured(&region) & MB_REGION_HUGETLB, 0);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
    if (mb_os_huge_pages_enabled()) assert_true(kernel_has_flag(mb_region_base(&region), "hg"));
    memset(mb_region_allocate(&region, 1000, 1), 1, 1000);
    dropped(&region);
    assert_int_equal(try_with(&region, too_much, MB_REGION_LAZY, MB_REGION_HUGETLB), MB_REGION_UNSUPPORTED);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
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
    assert_int_equal(mb_region_new_with(&region, &config), MB_REGION_OK);
    char *p = mb_region_allocate(&region, 8 * page, page);
    memset(p, 1, 8 * page);
    assert_int_equal(bound_nodes(p), 1);
    assert_int_equal(bound_nodes(p + 7 * page), 1);
    dropped(&region);
    config.nodes = node_1023;
    config.node_words = 16;
    assert_int_equal(mb_region_new_with(&region, &config), MB_REGION_UNSUPPORTED);
    assert_int_equal(mb_region_os_error(&region), -EINVAL);
    config.prefer = config.require;
    config.require = 0;
    assert_int_equal(mb_region_new_with(&region, &config), MB_REGION_OK);
    assert_int_equal(mb_region_honoured(&region), MB_REGION_LAZY | MB_REGION_GUARD_AT_END);
    dropped(&region);
}

// --- guard ----------------------------------------------------------------------------------------------------------

static void guard_catches_the_first_byte_behind(void **state) {
    (void)state;
    const uint32_t others[] = {0, MB_REGION_LAZY, MB_REGION_POPULATE, MB_REGION_LAZY | MB_REGION_HUGE_PAGES};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct mb_region region = made(3 * page, others[i], MB_REGION_GUARD_AT_END);
        size_t capacity = mb_region_capacity(&region);
        char *p = mb_region_allocate(&region, capacity, 1);
        assert_int_equal(child_outcome(child_writes, p + capacity - 1), 0);
        assert_int_equal(child_outcome(child_writes, p + capacity), SIGSEGV);
        assert_int_equal(child_outcome(child_reads, p + capacity + page - 1), SIGSEGV);
        assert_int_equal(kernel_mapping_of(p + capacity).rss_kib, 0);
        dropped(&region);
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
        bool made_it = try_with(&region, 1, 0, flag) == MB_REGION_OK;
        assert_int_equal(made_it, (supported & flag) != 0);
        if (made_it) dropped(&region);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lazy_commits_what_is_carved),
        cmocka_unit_test(lazy_terabyte_works_to_its_end),
        cmocka_unit_test(commit_is_idempotent_and_bounded),
        cmocka_unit_test(populate_makes_all_resident),
        cmocka_unit_test(populate_follows_lazy_commits),
        cmocka_unit_test(huge_pages_are_really_huge),
        cmocka_unit_test(huge_pages_come_with_lazy_commits),
        cmocka_unit_test(huge_pages_that_are_off_are_reported),
        cmocka_unit_test_setup_teardown(hugetlb_takes_set_aside_pages, grow_pool, shrink_pool),
        cmocka_unit_test(hugetlb_falls_back_and_says_so),
        cmocka_unit_test(numa_binds_all_of_it),
        cmocka_unit_test(guard_catches_the_first_byte_behind),
        cmocka_unit_test(supported_flags_are_those_that_are_honoured),
    };
    return cmocka_run_group_tests_name("region: flags", tests, begin, NULL);
}
