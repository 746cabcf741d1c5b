// The locked region: what the kernel says about its pages, what a forked child sees, what is overwritten, and which
// requests are refused.
#include "core/region/locked.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/layout/slab_pool.h"
#include "platform/file_linux.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static size_t page;

static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    return 0;
}

static struct mb_locked locked_made(size_t bytes) {
    struct mb_locked locked;
    assert_int_equal(mb_locked_new(&locked, bytes), MB_OK);
    return locked;
}

static void locked_dropped(struct mb_locked *locked) {
    struct kernel_mapping mapping;
    char *first = (char *)locked->mapping, *last = first + locked->mapped - 1;
    assert_int_equal(mb_locked_drop(locked), MB_OK);
    assert_false(kernel_mapping_at(first, &mapping));
    assert_false(kernel_mapping_at(last, &mapping));
}

// --- what the kernel says -------------------------------------------------------------------------------------------

static void pages_are_locked_and_kept_from_dumps_and_children(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(3 * page);
    char *base = mb_locked_base(&locked);
    struct kernel_mapping mapping = kernel_mapping_of(base);
    assert_true(mb_locked_capacity(&locked) >= 3 * page);
    assert_true(kernel_has_flag(base, "lo"));
    assert_true(kernel_has_flag(base, "dd"));
    assert_true(kernel_has_flag(base, "wf"));
    assert_int_equal(mapping.locked_kib, (mapping.last - mapping.first) >> 10);
    assert_int_equal(mapping.rss_kib, mapping.locked_kib); // resident from the start
    assert_true(mapping.last >= (uintptr_t)base + mb_locked_capacity(&locked));
    locked_dropped(&locked);
}

static void guards_stand_on_both_sides(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(page);
    size_t capacity = mb_locked_capacity(&locked);
    char *p = mb_locked_allocate(&locked, capacity, 1);
    assert_int_equal(child_outcome(child_writes, p + capacity - 1), 0);
    assert_int_equal(child_outcome(child_writes, p + capacity), SIGSEGV);
    assert_int_equal(child_outcome(child_reads, p + capacity + page - 1), SIGSEGV);
    assert_int_equal(child_outcome(child_reads, p - 65), SIGSEGV);
    assert_null(mb_locked_allocate(&locked, 1, 1));
    assert_int_equal(mb_locked_last_error(&locked), MB_FULL);
    locked_dropped(&locked);
}

// --- children -------------------------------------------------------------------------------------------------------

struct secret {
    struct mb_locked *locked;
    char *p;
    size_t bytes;
};

static bool all_zero(const char *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (p[i] != 0) return false;
    }
    return true;
}

static bool child_sees_zeros(void *argument) {
    struct secret *secret = argument;
    return all_zero(secret->p, secret->bytes);
}

static bool child_must_lock_again(void *argument) {
    struct mb_locked *locked = ((struct secret *)argument)->locked;
    if (kernel_has_flag(mb_locked_base(locked), "lo")) return false; // a lock is not inherited
    if (mb_locked_allocate(locked, 1, 1) != NULL || mb_locked_last_error(locked) != MB_UNSUPPORTED) return false;
    if (mb_locked_deallocate(locked, mb_locked_base(locked), 1) != MB_UNSUPPORTED) return false;
    if (mb_locked_relock(locked) != MB_OK || mb_locked_allocated(locked) != 0) return false;
    if (mb_locked_allocate(locked, 1, 1) == NULL) return false;
    return kernel_has_flag(mb_locked_base(locked), "lo") && mb_locked_drop(locked) == MB_OK;
}

static bool child_drops(void *argument) { return mb_locked_drop(((struct secret *)argument)->locked) == MB_OK; }

static void a_forked_child_has_no_secrets(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(2 * page);
    struct secret secret = {&locked, mb_locked_allocate(&locked, page, 1), page};
    memset(secret.p, 's', page);
    assert_int_equal(child_outcome(child_sees_zeros, &secret), 0);
    assert_int_equal(child_outcome(child_must_lock_again, &secret), 0);
    assert_int_equal(child_outcome(child_drops, &secret), 0);
    assert_all_bytes(secret.p, page, 's'); // the parent's are as they were
    assert_int_equal(mb_locked_relock(&locked), MB_BAD_ORDER);
    assert_int_equal(mb_locked_protect(&locked, MB_OS_NONE), MB_OK);
    assert_int_equal(child_outcome(child_must_lock_again, &secret), 0);
    assert_int_equal(mb_locked_relock(&locked), MB_BAD_ORDER);
    assert_int_equal(child_outcome(child_reads, secret.p), SIGSEGV); // and as inaccessible as before
    locked_dropped(&locked);
}

// --- refusals -------------------------------------------------------------------------------------------------------

static uint64_t mapped_pages(void) {
    uint64_t pages = 0;
    return mb_file_numbers("/proc/self/statm", &pages, 1) ? pages : 0;
}

enum { NOT_ROOT = 42 };

static bool is_refused_without_limit(void *unused) {
    const struct rlimit none = {0, 0};
    struct mb_locked locked;
    (void)unused;
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
        _exit(NOT_ROOT);
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) return false;
    uint64_t before = mapped_pages();
    if (mb_locked_new(&locked, page) != MB_REFUSED || mapped_pages() != before) return false;
    if (mb_locked_os_error(&locked) != -EPERM && mb_locked_os_error(&locked) != -ENOMEM) return false;
    return mb_locked_allocate(&locked, 1, 1) == NULL && mb_locked_last_error(&locked) == MB_FULL;
}

static void without_a_right_to_lock_there_is_no_region(void **state) {
    (void)state;
    int outcome = child_outcome(is_refused_without_limit, NULL);
    if (outcome == -1 && geteuid() != 0) skip();
    assert_int_equal(outcome, 0);
}

static void impossible_sizes_are_errors(void **state) {
    (void)state;
    const size_t sizes[] = {0, SIZE_MAX, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct mb_locked locked;
        assert_int_equal(mb_locked_new(&locked, sizes[i]), MB_BAD_SIZE);
        assert_int_equal(mb_locked_os_error(&locked), 0);
        assert_int_equal(mb_locked_drop(&locked), MB_OK);
    }
}

// --- overwriting ----------------------------------------------------------------------------------------------------

static void what_is_given_up_is_overwritten(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(page);
    char *a = mb_locked_allocate(&locked, 100, 1), *b = mb_locked_allocate(&locked, 100, 1);
    memset(a, 'a', 100);
    memset(b, 'b', 100);
    assert_int_equal(mb_locked_deallocate(&locked, a, 100), MB_OK); // in the middle
    assert_all_bytes(a, 100, 0);
    assert_all_bytes(b, 100, 'b');
    assert_ptr_equal(mb_locked_shrink(&locked, b, 100, 40), b);
    assert_all_bytes(b, 40, 'b');
    assert_all_bytes(b + 40, 60, 0);
    assert_ptr_equal(mb_locked_grow(&locked, b, 40, 60, 1), b);
    assert_all_bytes(b + 40, 20, 0);
    char *c = mb_locked_allocate(&locked, 10, 1);
    char *moved = mb_locked_grow(&locked, b, 60, 70, 64);
    assert_true(moved > c && (uintptr_t)moved % 64 == 0);
    assert_all_bytes(moved, 40, 'b');
    assert_all_bytes(b, 60, 0);
    size_t mark = mb_locked_mark(&locked);
    char *d = mb_locked_allocate(&locked, 50, 1);
    memset(d, 'd', 50);
    assert_int_equal(mb_locked_rewind(&locked, mark), MB_OK);
    assert_all_bytes(d, 50, 0);
    assert_int_equal(mb_locked_reset(&locked), MB_OK);
    assert_all_bytes(mb_locked_base(&locked), mb_locked_capacity(&locked), 0);
    assert_int_equal(mb_locked_rewind(&locked, 1), MB_BAD_RANGE);
    locked_dropped(&locked);
}

static void the_newest_block_is_used_again(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(page);
    char *p = mb_locked_allocate(&locked, 100, 1);
    assert_int_equal(mb_locked_deallocate(&locked, p, 100), MB_OK);
    assert_int_equal(mb_locked_allocated(&locked), 0);
    assert_ptr_equal(mb_locked_allocate(&locked, 100, 1), p);
    assert_int_equal(mb_locked_deallocate(&locked, p, 101), MB_BAD_POINTER);
    assert_int_equal(mb_locked_deallocate(&locked, &locked, 1), MB_BAD_POINTER);
    assert_int_equal(mb_locked_deallocate(&locked, p, 0), MB_BAD_POINTER);
    assert_null(mb_locked_grow(&locked, p, 100, 99, 1));
    assert_int_equal(mb_locked_last_error(&locked), MB_BAD_SIZE);
    assert_null(mb_locked_grow(&locked, p, 100, 200, 3));
    assert_int_equal(mb_locked_last_error(&locked), MB_BAD_ALIGN);
    locked_dropped(&locked);
}

// --- access and damage ----------------------------------------------------------------------------------------------

static void protect_acts_on_all_of_it(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(page);
    char *p = mb_locked_allocate(&locked, 10, 1);
    p[0] = 'p';
    assert_int_equal(mb_locked_protect(&locked, MB_OS_READ), MB_OK);
    assert_int_equal(child_outcome(child_writes, p), SIGSEGV);
    assert_int_equal(p[0], 'p');
    assert_null(mb_locked_allocate(&locked, 1, 1));
    assert_int_equal(mb_locked_last_error(&locked), MB_UNSUPPORTED);
    assert_int_equal(mb_locked_protect(&locked, MB_OS_NONE), MB_OK);
    assert_int_equal(child_outcome(child_reads, p), SIGSEGV);
    assert_int_equal(mb_locked_protect(&locked, MB_OS_EXEC), MB_BAD_CONFIG);
    assert_int_equal(mb_locked_protect(&locked, MB_OS_READ | MB_OS_WRITE), MB_OK);
    assert_int_equal(p[0], 'p');
    assert_int_equal(mb_locked_protect(&locked, MB_OS_NONE), MB_OK);
    locked_dropped(&locked); // also when nobody may touch it
}

static void an_underflow_is_found_and_counted(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(page);
    char *p = mb_locked_allocate(&locked, 10, 1);
    for (int bit = 0; bit < 64 * 8; bit++) {
        p[-1 - bit / 8] ^= (char)(1 << bit % 8);
        assert_null(mb_locked_allocate(&locked, 1, 1));
        assert_int_equal(mb_locked_last_error(&locked), MB_CORRUPT);
        p[-1 - bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(mb_locked_corruption_events(&locked), 64 * 8);
    assert_non_null(mb_locked_allocate(&locked, 1, 1));
    locked_dropped(&locked);
}

static void the_locked_region_is_a_member_of_the_family(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(page);
    struct mb_allocator *a = mb_locked_allocator(&locked);
    assert_true(mb_allocator_can(a, MB_TRAIT_RESETS | MB_TRAIT_OWNS | MB_TRAIT_RANGE));
    char *p = mb_allocator_allocate_zeroed(a, 100, 16);
    memset(p, 'm', 100);
    assert_true(mb_allocator_owns(a, p) && !mb_allocator_owns(a, a));
    assert_ptr_equal(a->table->range->base(a), p);
    assert_int_equal(a->table->range->commit(a, 0, mb_allocator_capacity(a)), MB_OK);
    assert_int_equal(a->table->range->commit(a, 1, mb_allocator_capacity(a)), MB_BAD_RANGE);
    assert_null(a->table->range->release_pages);
    assert_ptr_equal(mb_allocator_shrink(a, p, 100, 50, 1), p);
    assert_ptr_equal(mb_allocator_grow(a, p, 50, 60, 1), p);
    assert_int_equal(mb_allocator_deallocate(a, p, 60), MB_OK);
    assert_all_bytes(p, 100, 0);
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    assert_int_equal(mb_allocator_usable_size(a, p), 0);
    assert_int_equal(mb_allocator_corruption_events(a), 0);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
    assert_null(mb_allocator_allocate(a, 1, 1));
}

// Guards and lock stay; all memory that the pool has used is zero after it is dropped.
static void a_pool_stands_on_a_locked_region(void **state) {
    (void)state;
    struct mb_locked locked = locked_made(4 * 65536);
    struct mb_allocator *a = mb_locked_allocator(&locked);
    struct mb_slab_pool pool;
    struct mb_source_config config = MB_SOURCE_CONFIG(0);
    config.base = a;
    void *block = mb_locked_allocate(&locked, 10, 1);
    assert_int_equal(mb_slab_pool_new_with(&pool, 64, 16, &config), MB_BAD_CONFIG);
    assert_int_equal(mb_locked_deallocate(&locked, block, 10), MB_OK);
    assert_int_equal(mb_slab_pool_new_with(&pool, 64, 16, &config), MB_OK);
    assert_null(mb_locked_allocate(&locked, 10, 1));
    assert_int_equal(mb_locked_last_error(&locked), MB_FULL);
    assert_int_equal(mb_locked_drop(&locked), MB_BAD_CONFIG);
    for (int i = 0; i < 1500; i++) memset(mb_slab_pool_take(&pool), 0x55, 64);
    assert_int_equal(mb_allocator_drop(&pool.allocator), MB_OK);
    assert_all_bytes(mb_locked_base(&locked), mb_locked_capacity(&locked), 0);
    assert_non_null(mb_locked_allocate(&locked, 10, 1));
    locked_dropped(&locked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_locked_and_kept_from_dumps_and_children),
        cmocka_unit_test(guards_stand_on_both_sides),
        cmocka_unit_test(a_forked_child_has_no_secrets),
        cmocka_unit_test(without_a_right_to_lock_there_is_no_region),
        cmocka_unit_test(impossible_sizes_are_errors),
        cmocka_unit_test(what_is_given_up_is_overwritten),
        cmocka_unit_test(the_newest_block_is_used_again),
        cmocka_unit_test(protect_acts_on_all_of_it),
        cmocka_unit_test(an_underflow_is_found_and_counted),
        cmocka_unit_test(the_locked_region_is_a_member_of_the_family),
        cmocka_unit_test(a_pool_stands_on_a_locked_region),
    };
    return cmocka_run_group_tests_name("locked region", tests, begin, NULL);
}
