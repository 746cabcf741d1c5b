// Address space through platform/os.h: every promise is verified with the kernel.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/os.h"
#include "platform/window.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"
#include "tests/unit/small_pages.h"

static void reserve_gives_no_access_and_no_charge(void **state) {
    (void)state;
    char *p = reserved_memory(64 * page);
    struct kernel_mapping mapping = kernel_mapping_of(p);
    assert_string_equal(mapping.access, "---p");
    assert_int_equal(mapping.rss_kib, 0);
    assert_false(kernel_has_flag(p, "ac"));
    assert_int_equal(child_outcome(child_reads, p), SIGSEGV);
    assert_int_equal(child_outcome(child_writes, p + 63 * page), SIGSEGV);
    assert_int_equal(mb_os_unmap(p, 64 * page), 0);
}

// Committed memory counts against the commit limit: the kernel can refuse it in every overcommit mode but 1.
static void commit_is_charged(void **state) {
    (void)state;
    char *p = reserved_memory(64 * page);
    assert_int_equal(mb_os_commit(p, 32 * page), 0);
    assert_true(kernel_has_flag(p, "ac"));
    assert_false(kernel_has_flag(p + 32 * page, "ac"));
    assert_int_equal(mb_os_decommit(p, 16 * page), 0);
    assert_false(kernel_has_flag(p, "ac"));
    assert_int_equal(mb_os_renew(p, 16 * page), 0);
    assert_true(kernel_has_flag(p, "ac"));
    assert_int_equal(mb_os_unmap(p, 64 * page), 0);
}

static void reserve_takes_an_exact_place_or_none(void **state) {
    (void)state;
    char *p = committed_memory(3 * page);
    memset(p, 'x', 3 * page);
    void *at = NULL;
    assert_int_equal(mb_os_reserve(p + page, page, &at), -EEXIST);
    assert_int_equal(mb_os_reserve(p - page, 2 * page, &at), -EEXIST); // overlaps the first page only
    assert_null(at);
    assert_all_bytes(p, 3 * page, 'x');
    assert_int_equal(mb_os_unmap(p + page, page), 0);
    assert_int_equal(mb_os_reserve(p + page, page, &at), 0);
    assert_ptr_equal(at, p + page);
    assert_int_equal(mb_os_unmap(p, 3 * page), 0); // three mappings at once
    struct kernel_mapping mapping;
    assert_false(kernel_mapping_at(p + 2 * page, &mapping));
}

// Imitates a kernel before 4.17, which does not know the flag and takes the address as a hint.
static void *elsewhere; // far from where the next mapping of somebody else goes

static int64_t map_elsewhere(const uint64_t arguments[6]) {
    return syscall(SYS_mmap, elsewhere, arguments[1], PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool reserve_on_an_old_kernel(void *argument) {
    enum { NOREPLACE = 0x100000 };
    void *at = NULL;
    if (!kernel_stand_in(SYS_mmap, 3, MAP_PRIVATE | MAP_ANONYMOUS | NOREPLACE, map_elsewhere)) return true;
    if (mb_os_reserve(argument, page, &at) != -EEXIST || at != NULL) return false;
    return mb_os_resident_pages(elsewhere, page) == -ENOMEM; // given back
}

static void reserve_does_not_take_a_hint_for_an_answer(void **state) {
    (void)state;
    struct mb_os_window window[MB_OS_WINDOW_CANDIDATES];
    mb_os_window_candidates(UINT64_C(0x123456789), window);
    if (window[0].bytes == 0) skip();
    elsewhere = (void *)window[0].start;
    char *p = reserved_memory(page);
    assert_int_equal(child_outcome(reserve_on_an_old_kernel, p), 0);
    mb_os_unmap(p, page);
}

static void reserve_refuses_what_does_not_fit(void **state) {
    (void)state;
    void *at = &page;
    assert_int_equal(mb_os_reserve(NULL, (size_t)1 << 60, &at), -ENOMEM);
    assert_ptr_equal(at, &page);
}

static void reserve_of_a_terabyte_costs_nothing(void **state) {
    (void)state;
    void *p;
    int error = mb_os_reserve(NULL, (size_t)1 << 40, &p);
    if (error != 0) { // a finite limit
        assert_int_equal(error, -ENOMEM);
        skip();
    }
    assert_int_equal(mb_os_commit((char *)p + ((size_t)1 << 39), page), 0);
    assert_int_equal(mb_os_unmap(p, (size_t)1 << 40), 0);
}

static void commit_is_zero_and_idempotent(void **state) {
    (void)state;
    char *p = reserved_memory(8 * page);
    assert_int_equal(mb_os_commit(p, 4 * page), 0);
    assert_all_bytes(p, 4 * page, 0);
    memset(p, 'y', 4 * page);
    assert_int_equal(mb_os_commit(p, 8 * page), 0);
    assert_all_bytes(p, 4 * page, 'y');
    assert_all_bytes(p + 4 * page, 4 * page, 0);
    assert_int_equal(kernel_mappings_in(p, 8 * page), 1); // forward commits merge
    assert_int_equal(mb_os_unmap(p + 4 * page, page), 0);
    assert_int_equal(mb_os_commit(p + 4 * page, page), -ENOMEM);
    mb_os_unmap(p, 8 * page);
}

static void decommit_takes_access_and_contents(void **state) {
    (void)state;
    char *p = committed_memory(4 * page);
    memset(p, 'z', 4 * page);
    assert_int_equal(mb_os_decommit(p + page, 2 * page), 0);
    assert_int_equal(child_outcome(child_reads, p + page), SIGSEGV);
    assert_int_equal(mb_os_resident_pages(p, 4 * page), 2);
    void *at;
    assert_int_equal(mb_os_reserve(p + page, page, &at), -EEXIST);
    assert_int_equal(mb_os_commit(p + page, 2 * page), 0);
    assert_all_bytes(p + page, 2 * page, 0);
    assert_all_bytes(p, page, 'z');
    mb_os_unmap(p, 4 * page);
}

static void renew_gives_zero_memory_and_one_mapping(void **state) {
    (void)state;
    char *p = committed_memory(9 * page);
    memset(p, 'a', 9 * page);
    assert_int_equal(mb_os_protect(p + 3 * page, 3 * page, MB_OS_READ), 0);
    assert_int_equal(kernel_mappings_in(p, 9 * page), 3);
    assert_int_equal(mb_os_renew(p + 3 * page, 3 * page), 0);
    assert_int_equal(kernel_mappings_in(p, 9 * page), 1);
    assert_all_bytes(p + 3 * page, 3 * page, 0);
    assert_all_bytes(p, 3 * page, 'a');
    mb_os_unmap(p, 9 * page);
}

static void protect_sets_each_right(void **state) {
    (void)state;
    char *p = committed_memory(page);
    const struct { unsigned access; const char *shown; } cases[] = {
        {MB_OS_READ, "r--p"},
        {MB_OS_READ | MB_OS_EXEC, "r-xp"},
        {MB_OS_READ | MB_OS_WRITE, "rw-p"},
        {MB_OS_NONE, "---p"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(mb_os_protect(p, page, cases[i].access), 0);
        assert_string_equal(kernel_mapping_of(p).access, cases[i].shown);
    }
    mb_os_protect(p, page, MB_OS_READ);
    assert_int_equal(child_outcome(child_reads, p), 0);
    assert_int_equal(child_outcome(child_writes, p), SIGSEGV);
    assert_int_equal(mb_os_protect(p + 1, page, MB_OS_READ), -EINVAL);
    mb_os_unmap(p, page);
}

static void failures_keep_errno(void **state) {
    (void)state;
    void *at;
    char *p = committed_memory(2 * page);
    errno = 777;
    mb_os_reserve(p, page, &at);
    mb_os_unmap(p + 1, page);
    mb_os_commit(p + 1, page);
    mb_os_decommit(p + 1, page);
    mb_os_renew(p + 1, page);
    mb_os_protect(p + 1, page, MB_OS_NONE);
    mb_os_move_pages(p, p, page);
    mb_os_purge(p + 1, page);
    mb_os_populate(NULL, page);
    mb_os_guard(p + 1, page);
    mb_os_lock(NULL, page);
    mb_os_bind_nodes(p, page, NULL, 0);
    mb_os_resident_pages(p + 1, page);
    mb_os_page_size();
    mb_os_readable(NULL, 8);
    mb_os_append_file("/", "x", 1);
    mb_os_write(-1, "x", 1);
    assert_int_equal(errno, 777);
    mb_os_unmap(p, 2 * page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserve_gives_no_access_and_no_charge),
        cmocka_unit_test(commit_is_charged),
        cmocka_unit_test(reserve_takes_an_exact_place_or_none),
        cmocka_unit_test(reserve_does_not_take_a_hint_for_an_answer),
        cmocka_unit_test(reserve_refuses_what_does_not_fit),
        cmocka_unit_test(reserve_of_a_terabyte_costs_nothing),
        cmocka_unit_test(commit_is_zero_and_idempotent),
        cmocka_unit_test(decommit_takes_access_and_contents),
        cmocka_unit_test(renew_gives_zero_memory_and_one_mapping),
        cmocka_unit_test(protect_sets_each_right),
        cmocka_unit_test(failures_keep_errno),
    };
    return cmocka_run_group_tests_name("platform: address space", tests, begin, NULL);
}
