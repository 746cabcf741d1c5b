// Options that apply once to a range: colouring, huge pages, NUMA. Their effect as the kernel shows it, and which bases
// are refused.
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/harden/colour.h"
#include "core/harden/fault_os.h"
#include "core/harden/huge.h"
#include "core/harden/numa.h"
#include "tests/support/bases.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static struct libc_base libc;
static struct list_base list;
static struct region_base region;

static int begin(void **state) {
    (void)state;
    libc_base_init(&libc, 0);
    return list_base_init(&list, (size_t)8 << 20) == MB_OK ? 0 : -1;
}

// --- colour ----------------------------------------------------------------------------------------------------------

static void arenas_start_at_different_lines(void **state) {
    (void)state;
    struct mb_colour_config config = MB_COLOUR_CONFIG;
    bool seen[65] = {false};
    for (int i = 0; i < 64; i++) {
        size_t offset = 0;
        assert_int_equal(region_base_init(&region, 1 << 20, MB_REGION_LAZY), MB_OK);
        assert_int_equal(mb_colour_start(&region.api, &config, &offset), MB_OK);
        char *base = mb_region_base(&region.region), *p = mb_allocator_allocate(&region.api, 100, 64);
        assert_ptr_equal(p, base + offset);
        assert_true(offset % 64 == 0 && offset >= 64 && offset <= 64 * 64);
        assert_false(seen[offset / 64]); // 64 arenas, 64 colours
        seen[offset / 64] = true;
        assert_int_equal(mb_allocator_reset(&region.api), MB_OK);
        assert_int_equal(mb_colour_again(&region.api, offset), MB_OK);
        assert_ptr_equal(mb_allocator_allocate(&region.api, 100, 64), p);
        assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
    }
}

static void colour_refuses_where_it_cannot_act(void **state) {
    (void)state;
    struct mb_colour_config config = MB_COLOUR_CONFIG;
    size_t offset = 0;
    assert_int_equal(mb_colour_start(&libc.api, &config, &offset), MB_BAD_CONFIG);       // no range
    assert_int_equal(mb_colour_start(&list.under.api, &config, &offset), MB_BAD_CONFIG); // not in order
    assert_int_equal(region_base_init(&region, 1 << 20, 0), MB_OK);
    config.colours = 1;
    assert_int_equal(mb_colour_start(&region.api, &config, &offset), MB_BAD_CONFIG);
    config.colours = 64, config.line_bytes = 48;
    assert_int_equal(mb_colour_start(&region.api, &config, &offset), MB_BAD_CONFIG);
    config.line_bytes = 16384; // 64 of them are all of it
    assert_int_equal(mb_colour_start(&region.api, &config, &offset), MB_BAD_CONFIG);
    assert_int_equal(mb_region_allocated(&region.region), 0);
    config.line_bytes = 64;
    assert_non_null(mb_allocator_allocate(&region.api, 1, 1)); // not fresh
    assert_int_equal(mb_colour_start(&region.api, &config, &offset), MB_BAD_CONFIG);
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
}

// --- huge pages ------------------------------------------------------------------------------------------------------

static void only_whole_huge_pages_are_purged(void **state) {
    (void)state;
    if (!mb_os_huge_pages_enabled()) {
        print_message("skipped: the system makes no huge pages\n");
        skip();
    }
    size_t huge = mb_os_huge_page_size(), bytes = 4 * huge;
    assert_int_equal(region_base_init(&region, bytes, MB_REGION_HUGE_PAGES), MB_OK);
    char *base = mb_region_base(&region.region);
    mb_os_advise_huge(base, bytes, false);
    assert_int_equal(mb_huge_start(&region.api), MB_OK);
    assert_true(kernel_has_flag(base, "hg"));
    memset(base, 1, bytes);
    if (kernel_mapping_of(base).huge_kib * 1024 < bytes) {
        print_message("skipped: the kernel had no huge pages left\n");
        mb_allocator_drop(&region.api);
        skip();
    }
    assert_int_equal(mb_huge_release(&region.api, base + 4096, huge), MB_OK); // no whole one
    assert_int_equal(kernel_mapping_of(base).huge_kib * 1024, bytes);
    assert_int_equal(mb_huge_release(&region.api, base + 4096, 2 * huge), MB_OK); // the second one
    assert_int_equal(kernel_mapping_of(base).huge_kib * 1024, bytes - huge);
    assert_int_equal(base[huge - 1], 1);
    assert_int_equal(base[huge], 0);
    assert_int_equal(base[2 * huge], 1);
    assert_int_equal(mb_huge_release(&region.api, base, bytes + 1), MB_BAD_RANGE);
    assert_int_equal(mb_huge_release(&region.api, base - 1, 1), MB_BAD_RANGE);
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
}

static void huge_refuses_where_it_cannot_act(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    assert_int_equal(mb_huge_start(&libc.api), MB_BAD_CONFIG);
    enum mb_error none = mb_os_huge_pages_enabled() ? MB_BAD_CONFIG : MB_UNSUPPORTED;
    assert_int_equal(region_base_init(&region, 3 * mb_os_page_size(), 0), MB_OK); // no huge page fits
    assert_int_equal(mb_huge_start(&region.api), none);
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
    if (none == MB_UNSUPPORTED) return;
    assert_int_equal(region_base_init(&region, (size_t)8 << 20, MB_REGION_HUGE_PAGES), MB_OK);
    assert_int_equal(mb_fault_os_arm(&always, 1u << MB_OS_CALL_ADVISE_HUGE), MB_OK);
    assert_int_equal(mb_huge_start(&region.api), MB_REFUSED);
    mb_fault_os_disarm();
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
}

// --- NUMA ------------------------------------------------------------------------------------------------------------

static void range_is_bound_to_node_0(void **state) {
    (void)state;
    const uint64_t node_0[2] = {1, 0};
    int mode = -1;
    unsigned long nodes[16] = {0};
    assert_int_equal(region_base_init(&region, 1 << 20, MB_REGION_LAZY), MB_OK);
    void *base = mb_region_base(&region.region);
    enum mb_error error = mb_numa_start(&region.api, node_0, 2);
    if (error == MB_REFUSED) {
        print_message("skipped: the kernel binds no memory\n");
        skip();
    }
    assert_int_equal(error, MB_OK);
    assert_int_equal(syscall(SYS_get_mempolicy, &mode, nodes, 1024, base, MPOL_F_ADDR), 0);
    assert_int_equal(mode, MPOL_BIND);
    assert_int_equal(nodes[0], 1);
    assert_non_null(mb_allocator_allocate(&region.api, 100, 16));
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
}

static void numa_refuses_where_it_cannot_act(void **state) {
    (void)state;
    const uint64_t node_0 = 1, none = 0, absent[2] = {0, UINT64_C(1) << 63};
    assert_int_equal(mb_numa_start(&libc.api, &node_0, 1), MB_BAD_CONFIG);
    assert_int_equal(region_base_init(&region, 1 << 20, 0), MB_OK);
    assert_int_equal(mb_numa_start(&region.api, &none, 1), MB_BAD_CONFIG);
    assert_int_equal(mb_numa_start(&region.api, NULL, 1), MB_BAD_CONFIG);
    assert_int_equal(mb_numa_start(&region.api, absent, 2), MB_REFUSED);
    *(char *)mb_allocator_allocate(&region.api, 100, 16) = 1; // touched: that page would stay where it is
    assert_int_equal(mb_numa_start(&region.api, &node_0, 1), MB_BAD_CONFIG);
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arenas_start_at_different_lines),
        cmocka_unit_test(colour_refuses_where_it_cannot_act),
        cmocka_unit_test(only_whole_huge_pages_are_purged),
        cmocka_unit_test(huge_refuses_where_it_cannot_act),
        cmocka_unit_test(range_is_bound_to_node_0),
        cmocka_unit_test(numa_refuses_where_it_cannot_act),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
