// Guard pages for each block: an access to the byte behind a block faults, with both mechanisms that the kernel offers;
// overflows within the block's own pages are found on free; guards are removed before their pages are reused.
#include <signal.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/harden/fault_os.h"
#include "core/harden/guard.h"
#include "core/harden/poison_fill.h"
#include "tests/support/bases.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static struct list_base list;
static struct region_base region;
static struct libc_base libc;
static struct mb_guard guard;
static size_t page;

static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    return 0;
}

static struct mb_allocator *over(struct mb_allocator *base, uint64_t one_in) {
    struct mb_guard_config config = MB_GUARD_CONFIG;
    config.one_in = one_in;
    assert_int_equal(mb_guard_init(&guard, &config, MB_POLICY_COUNT, base), MB_OK);
    return &guard.layer.api;
}

static struct mb_allocator *over_list(uint64_t one_in) {
    assert_int_equal(list_base_init(&list, (size_t)256 << 20), MB_OK);
    return over(&list.under.api, one_in);
}

static struct mb_allocator *over_region(uint64_t one_in) {
    assert_int_equal(region_base_init(&region, (size_t)64 << 20, MB_REGION_LAZY), MB_OK);
    return over(&region.api, one_in);
}

static void assert_guarded(char *p, size_t bytes, size_t align) {
    char *end = (char *)mb_align_up((uintptr_t)p + bytes, align);
    assert_true(mb_is_aligned((uintptr_t)p, align));
    p[0] = p[bytes - 1] = 1;
    assert_ptr_equal(end, mb_align_up((uintptr_t)end, page));
    assert_int_equal(child_outcome(child_writes, end), SIGSEGV);
    assert_int_equal(child_outcome(child_reads, end + page - 1), SIGSEGV);
    assert_int_equal(child_outcome(child_writes, end - 1), 0);
}

static void overflow_faults_at_once(void **state) {
    (void)state;
    for (int by_access = 0; by_access < 2; by_access++) {
        struct mb_allocator *a = over_list(1);
        if (by_access) guard.pages.by_advice = false; // as on a kernel before 6.13
        const size_t sizes[] = {1, 8, 16, 100, page - 1, page, page + 1, 3 * page, 100000};
        const size_t aligns[] = {1, 2, 16, 64};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            for (size_t k = 0; k < 4; k++) {
                char *p = mb_allocator_allocate(a, sizes[i], aligns[k]);
                assert_guarded(p, sizes[i], aligns[k]);
                assert_int_equal(mb_allocator_usable_size(a, p), sizes[i]);
                assert_int_equal(mb_allocator_deallocate(a, p, sizes[i]), MB_OK);
            }
        }
        assert_int_equal(list.live, 0);
        assert_int_equal(mb_allocator_drop(a), MB_OK);
    }
}

static void large_alignments_and_zero(void **state) {
    (void)state;
    struct mb_allocator *a = over_list(1);
    for (size_t align = page; align <= 64 * page; align *= 4) {
        char *p = mb_allocator_allocate_zeroed(a, 5 * page / 2, align);
        assert_true(mb_is_aligned((uintptr_t)p, align));
        assert_all_bytes(p, 5 * page / 2, 0);
        assert_int_equal(child_outcome(child_reads, p + 3 * page), SIGSEGV);
        memset(p, 1, 5 * page / 2);
        assert_int_equal(mb_allocator_deallocate(a, p, 5 * page / 2), MB_OK);
    }
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// The corruption matrix of what lies between block and guard, and before the block.
static void every_bit_around_a_block_is_watched(void **state) {
    (void)state;
    struct mb_allocator *a = over_list(1);
    unsigned char *p = mb_allocator_allocate(a, 37, 64), *before = (unsigned char *)mb_align_down((uintptr_t)p, page);
    for (unsigned char *at = before; at < before + page; at++) {
        if (at >= p && at < p + 37) continue;
        for (unsigned bit = 0; bit < 8; bit++) {
            *at ^= (unsigned char)(1u << bit);
            assert_int_equal(mb_guard_damaged(&guard), 1);
            *at ^= (unsigned char)(1u << bit);
        }
    }
    p[37] ^= 1;
    assert_int_equal(mb_allocator_deallocate(a, p, 37), MB_CORRUPT);
    assert_int_equal(mb_allocator_corruption_events(a), 1);
    p[37] ^= 1;
    p[-1] ^= 1;
    assert_int_equal(mb_allocator_deallocate(a, p, 37), MB_CORRUPT);
    p[-1] ^= 1;
    assert_int_equal(mb_allocator_deallocate(a, p, 37), MB_OK);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void mistakes_are_told_at_the_door(void **state) {
    (void)state;
    struct mb_allocator *a = over_list(1);
    char foreign[32];
    char *p = mb_allocator_allocate(a, 100, 16);
    assert_int_equal(mb_allocator_deallocate(a, foreign, 32), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(a, p + 16, 84), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(a, p, 99), MB_BAD_SIZE);
    assert_int_equal(mb_allocator_usable_size(a, foreign), 0);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void sizes_change(void **state) {
    (void)state;
    struct mb_allocator *a = over_list(1);
    char *p = mb_allocator_allocate(a, 100, 16);
    memset(p, 4, 100);
    p = mb_allocator_grow(a, p, 100, 2 * page, 16);
    assert_all_bytes(p, 100, 4);
    assert_guarded(p, 2 * page, 16);
    p = mb_allocator_shrink(a, p, 2 * page, 64, 16);
    assert_guarded(p, 64, 16);
    assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_OK);
    assert_int_equal(list.live, 0);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// Without memory for a move a block shrinks in place; the part behind its new end is checked until the block is freed.
static void shrink_never_fails_for_memory(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    struct mb_allocator *a = over_region(1);
    char *p = mb_allocator_allocate(a, 3 * page, 16);
    memset(p, 4, 3 * page);
    assert_int_equal(mb_fault_os_arm(&always, MB_FAULT_OS_ALL), MB_OK);
    char *q = mb_allocator_shrink(a, p, 3 * page, 100, 16);
    mb_fault_os_disarm();
    assert_ptr_equal(q, p);
    assert_all_bytes(p, 100, 4);
    assert_int_equal(mb_allocator_usable_size(a, p), 100);
    p[100] ^= 1;
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_CORRUPT);
    p[100] ^= 1;
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// An arena keeps its guards until the reset; then its memory is as usable as before.
static void arena_guards_go_with_the_reset(void **state) {
    (void)state;
    for (int by_access = 0; by_access < 2; by_access++) {
        struct mb_allocator *a = over_region(1);
        if (by_access) guard.pages.by_advice = false;
        char *p = mb_allocator_allocate(a, 100, 16), *q = mb_allocator_allocate(a, page, 16);
        assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
        assert_guarded(q, page, 16);
        assert_int_equal(child_outcome(child_writes, p + 112), SIGSEGV);
        size_t used = mb_region_allocated(&region.region);
        assert_int_equal(mb_allocator_reset(a), MB_OK);
        memset(mb_region_base(&region.region), 1, used);
        assert_ptr_equal(mb_allocator_allocate(a, 100, 16), p);
        assert_int_equal(mb_allocator_drop(a), MB_OK);
    }
}

static void some_are_guarded(void **state) {
    (void)state;
    enum { BLOCKS = 4000 };
    static char *blocks[BLOCKS];
    struct mb_allocator *a = over_list(8);
    unsigned guarded = 0;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = i % 2 ? mb_allocator_allocate(a, 64, 16) : mb_allocator_allocate_zeroed(a, 64, 16);
        memset(blocks[i], 1, 64);
    }
    guarded = guard.ledger.live.count;
    assert_in_range(guarded, BLOCKS / 8 - 150, BLOCKS / 8 + 150);
    for (unsigned i = 0; i < 5; i++) {
        char *p = (char *)guard.ledger.live.blocks[i].at;
        assert_int_equal(child_outcome(child_writes, p + 64), SIGSEGV);
    }
    for (int i = 0; i < BLOCKS; i += 2) blocks[i] = mb_allocator_grow(a, blocks[i], 64, 128, 16);
    for (int i = 0; i < BLOCKS; i += 4) blocks[i] = mb_allocator_shrink(a, blocks[i], 128, 64, 16);
    for (int i = 0; i < BLOCKS; i++) {
        assert_int_equal(mb_allocator_deallocate(a, blocks[i], i % 4 == 2 ? 128 : 64), MB_OK);
    }
    assert_int_equal(list.live, 0);
    assert_int_equal(guard.ledger.live.count, 0);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// Many guards in one mapping do not count against the kernel's limit of mappings.
static void guards_take_no_mappings(void **state) {
    (void)state;
    struct mb_allocator *a = over_region(1);
    if (!guard.pages.by_advice) {
        mb_allocator_drop(a);
        print_message("skipped: the kernel has no MADV_GUARD_INSTALL\n");
        skip();
    }
    for (int i = 0; i < 1000; i++) assert_non_null(mb_allocator_allocate(a, 100, 16));
    assert_true(kernel_mappings_in(mb_region_base(&region.region), mb_region_capacity(&region.region)) <= 2);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// Each system call is refused in turn: the request fails, nothing is lost, and the same request succeeds afterwards.
static void refusals_change_nothing(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    const uint32_t both = 1u << MB_OS_CALL_GUARD | 1u << MB_OS_CALL_PROTECT;
    struct mb_allocator *a = over_list(1);
    void *p = mb_allocator_allocate(a, 100, 16);
    assert_int_equal(mb_fault_os_arm(&always, both), MB_OK);
    assert_null(mb_allocator_allocate(a, 100, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_REFUSED);
    mb_fault_os_disarm();
    assert_int_equal(list.live, 1);
    assert_int_equal(guard.ledger.promised, 0);
    assert_int_equal(mb_fault_os_arm(&always, 1u << MB_OS_CALL_UNGUARD | 1u << MB_OS_CALL_PROTECT), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_REFUSED);
    mb_fault_os_disarm();
    assert_int_equal(list.live, 1);
    assert_int_equal(child_outcome(child_writes, (char *)p + 112), SIGSEGV);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
    a = over_region(1); // which cannot free: the span waits for the next request
    assert_int_equal(mb_fault_os_arm(&always, both), MB_OK);
    assert_null(mb_allocator_allocate(a, 100, 16));
    size_t used = mb_region_allocated(&region.region);
    assert_null(mb_allocator_allocate(a, 100, 16));
    mb_fault_os_disarm();
    assert_guarded(mb_allocator_allocate_zeroed(a, 100, 16), 100, 16);
    assert_int_equal(mb_region_allocated(&region.region), used);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// If the kernel refuses madvise (for locked memory, for example), the block's guard is made by mprotect.
static void advice_refused_means_access(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    struct mb_allocator *a = over_list(1);
    assert_int_equal(mb_fault_os_arm(&always, 1u << MB_OS_CALL_GUARD), MB_OK);
    char *p = mb_allocator_allocate(a, 100, 16);
    mb_fault_os_disarm();
    assert_guarded(p, 100, 16);
    assert_string_equal(kernel_mapping_of(p + 112).access, "---p");
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void cannot_act(void **state) {
    (void)state;
    struct mb_guard_config config = MB_GUARD_CONFIG;
    assert_int_equal(region_base_init(&region, 1 << 20, 0), MB_OK);
    region.range.protect = NULL;
    assert_int_equal(mb_guard_init(&guard, &config, MB_POLICY_COUNT, &region.api), MB_BAD_CONFIG);
    libc_base_init(&libc, 0);
    libc.table.traits |= MB_TRAIT_ORDERED;
    assert_int_equal(mb_guard_init(&guard, &config, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    libc_base_init(&libc, 0);
    libc.limit_bytes = 2 * page - 1; // as a pool of small slots
    assert_int_equal(mb_guard_init(&guard, &config, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    libc.limit_bytes = 2 * page;
    assert_int_equal(mb_guard_init(&guard, &config, MB_POLICY_COUNT, &libc.api), MB_OK);
    assert_int_equal(libc.live_blocks, 0);
    config.one_in = 0;
    assert_int_equal(mb_guard_init(&guard, &config, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    config.size = 2;
    assert_int_equal(mb_guard_init(&guard, &config, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow_faults_at_once),
        cmocka_unit_test(large_alignments_and_zero),
        cmocka_unit_test(every_bit_around_a_block_is_watched),
        cmocka_unit_test(mistakes_are_told_at_the_door),
        cmocka_unit_test(sizes_change),
        cmocka_unit_test(shrink_never_fails_for_memory),
        cmocka_unit_test(arena_guards_go_with_the_reset),
        cmocka_unit_test(some_are_guarded),
        cmocka_unit_test(guards_take_no_mappings),
        cmocka_unit_test(refusals_change_nothing),
        cmocka_unit_test(advice_refused_means_access),
        cmocka_unit_test(cannot_act),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
