// Regions of huge pages that the administrator has reserved. As root the test reserves some itself, and releases them
// afterwards.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/regions.h"

static size_t page, huge;

// --- the pool -------------------------------------------------------------------------------------------------------

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
    page = mb_os_page_size();
    huge = mb_os_huge_page_size();
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

// --- the tests ------------------------------------------------------------------------------------------------------

static void hugetlb_takes_set_aside_pages(void **state) {
    if (pool_size() < *(long *)*state + 4) skip(); // not root, or no memory for them
    struct mb_region region = region_made(2 * huge, 0, MB_REGION_HUGETLB | MB_REGION_GUARD_AT_END | MB_REGION_LAZY);
    char *base = mb_region_base(&region);
    assert_true(kernel_has_flag(base, "ht"));
    char *p = mb_region_allocate_zeroed(&region, 2 * huge, 64);
    assert_all_bytes(p, 2 * huge, 0);
    assert_int_equal(mb_region_huge_bytes(&region), 2 * huge);
    memset(p, 't', 2 * huge);
    assert_int_equal(child_outcome(child_writes, p + 2 * huge), SIGSEGV);
    assert_int_equal(mb_region_release_pages(&region, p, page), MB_BAD_RANGE);
    if (mb_region_release_pages(&region, p, huge) == MB_OK) assert_int_equal(p[0], 0); // Linux 5.18
    region_dropped(&region);
    region = region_made(huge, 0, MB_REGION_HUGETLB | MB_REGION_HUGE_PAGES | MB_REGION_POPULATE);
    assert_int_equal(mb_os_resident_pages(mb_region_base(&region), huge), huge / page);
    region_dropped(&region);
}

static void hugetlb_falls_back_and_says_so(void **state) {
    (void)state;
    const size_t too_much = (size_t)1 << 38; // nobody sets so many aside
    struct mb_region region;
    if (region_try(&region, too_much, MB_REGION_HUGETLB | MB_REGION_LAZY, 0) != MB_OK) skip(); // limited address space
    assert_int_equal(mb_region_honoured(&region) & MB_REGION_HUGETLB, 0);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
    if (mb_os_huge_pages_enabled()) assert_true(kernel_has_flag(mb_region_base(&region), "hg"));
    memset(mb_region_allocate(&region, 1000, 1), 1, 1000);
    region_dropped(&region);
    assert_int_equal(region_try(&region, too_much, MB_REGION_LAZY, MB_REGION_HUGETLB), MB_UNSUPPORTED);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
}

static void the_reason_is_that_of_the_requirement(void **state) {
    (void)state;
    const uint64_t no_such_node[16] = {[15] = UINT64_C(1) << 63};
    struct mb_region region;
    struct mb_region_config config = MB_REGION_CONFIG((size_t)1 << 38);
    config.require = MB_REGION_HUGETLB;
    config.prefer = MB_REGION_LAZY | MB_REGION_NUMA; // fails later, for another reason
    config.nodes = no_such_node;
    config.node_words = 16;
    assert_int_equal(mb_region_new_with(&region, &config), MB_UNSUPPORTED);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hugetlb_takes_set_aside_pages),
        cmocka_unit_test(hugetlb_falls_back_and_says_so),
        cmocka_unit_test(the_reason_is_that_of_the_requirement),
    };
    return cmocka_run_group_tests_name("region: set-aside huge pages", tests, grow_pool, shrink_pool);
}
