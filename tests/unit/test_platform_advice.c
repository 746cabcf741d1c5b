// Page contents and advice through platform/os.h: every effect is verified with the kernel.
#include <errno.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/os.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"
#include "tests/unit/small_pages.h"

static void purge_returns_pages_even_if_locked(void **state) {
    (void)state;
    char *p = committed_memory(4 * page);
    memset(p, 'p', 4 * page);
    assert_int_equal(mb_os_purge(p + page, 2 * page), 0);
    assert_int_equal(mb_os_resident_pages(p, 4 * page), 2);
    assert_all_bytes(p + page, 2 * page, 0);
    assert_all_bytes(p + 3 * page, page, 'p');
    if (mb_os_lock(p, 4 * page) != 0) skip();
    memset(p, 'q', 4 * page);
    assert_int_equal(mb_os_purge(p, 2 * page), 0);
    assert_all_bytes(p, 2 * page, 0);
    assert_all_bytes(p + 2 * page, 2 * page, 'q');
    mb_os_unmap(p, 4 * page);
}

static void populate_makes_resident(void **state) {
    (void)state;
    char *p = committed_memory(32 * page);
    memset(p + page, 'k', page);
    assert_int_equal(mb_os_populate(p, 32 * page), 0);
    assert_int_equal(mb_os_resident_pages(p, 32 * page), 32);
    assert_all_bytes(p + page, page, 'k');
    assert_all_bytes(p + 2 * page, page, 0);
    assert_int_equal(mb_os_unmap(p + 4 * page, page), 0);
    assert_int_equal(mb_os_populate(p, 32 * page), -ENOMEM);
    mb_os_unmap(p, 32 * page);
}

static bool populate_on_an_old_kernel(void *argument) {
    enum { POPULATE_WRITE = 23 };
    char *p = argument;
    if (!kernel_refuse(SYS_madvise, 2, POPULATE_WRITE, EINVAL)) return true;
    p[page] = 'k';
    if (madvise(p, page, POPULATE_WRITE) != -1) return false; // the refusal acts
    return mb_os_populate(p, 32 * page) == 0 && mb_os_resident_pages(p, 32 * page) == 32 && p[page] == 'k';
}

static void populate_works_without_the_advice(void **state) {
    (void)state;
    char *p = committed_memory(32 * page);
    assert_int_equal(child_outcome(populate_on_an_old_kernel, p), 0);
    mb_os_unmap(p, 32 * page);
}

static void resident_pages_counts_exactly(void **state) {
    (void)state;
    size_t pages = 2 * 2048 + 3, touched = 0; // more than two of the chunks it asks for
    char *p = committed_memory(pages * page);
    assert_int_equal(mb_os_advise_huge(p, pages * page, false), 0);
    for (size_t i = 0; i < pages; i += 7, touched++) p[i * page] = 1;
    assert_int_equal(mb_os_resident_pages(p, pages * page), touched);
    assert_int_equal(mb_os_resident_pages(p + page, page), 0);
    mb_os_unmap(p, pages * page);
    assert_int_equal(mb_os_resident_pages(p, pages * page), -ENOMEM);
}

// --- advice ---------------------------------------------------------------------------------------------------------

static bool huge_pages_possible(void) {
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    char mode[64] = "[never]";
    if (file != NULL) {
        if (fgets(mode, sizeof mode, file) == NULL) mode[0] = '\0';
        fclose(file);
    }
    return strstr(mode, "[never]") == NULL;
}

static void advise_huge_acts_both_ways(void **state) {
    (void)state;
    size_t huge = mb_os_huge_page_size();
    kernel_small_pages(false);
    char *p = committed_memory(3 * huge);
    char *aligned = (char *)(((uintptr_t)p + huge - 1) & ~(uintptr_t)(huge - 1));
    if (mb_os_advise_huge(aligned, 2 * huge, true) != 0) skip(); // a kernel without them
    assert_true(kernel_has_flag(aligned, "hg"));
    assert_int_equal(mb_os_advise_huge(aligned + huge, huge, false), 0);
    assert_true(kernel_has_flag(aligned + huge, "nh"));
    aligned[0] = aligned[huge] = 1;
    assert_int_equal(kernel_mapping_of(aligned + huge).huge_kib, 0);
    assert_int_equal(mb_os_resident_pages(aligned + huge, huge), 1);
    if (huge_pages_possible()) assert_int_equal(kernel_mapping_of(aligned).huge_kib, huge >> 10);
    mb_os_unmap(p, 3 * huge);
    kernel_small_pages(true);
}

static void guard_faults_without_a_mapping_of_its_own(void **state) {
    (void)state;
    char *p = committed_memory(4 * page);
    memset(p, 'g', 4 * page);
    int error = mb_os_guard(p + 2 * page, page);
    if (error == -EINVAL) { // before Linux 6.13: says so and changes nothing
        assert_all_bytes(p, 4 * page, 'g');
        skip();
    }
    assert_int_equal(error, 0);
    assert_int_equal(kernel_mappings_in(p, 4 * page), 1);
    assert_int_equal(child_outcome(child_writes, p + 2 * page), SIGSEGV);
    assert_int_equal(child_outcome(child_reads, p + 3 * page - 1), SIGSEGV);
    assert_int_equal(child_outcome(child_writes, p + 3 * page), 0);
    assert_int_equal(mb_os_unguard(p + 2 * page, page), 0);
    assert_all_bytes(p + 2 * page, page, 0);
    assert_all_bytes(p + 3 * page, page, 'g');
    mb_os_unmap(p, 4 * page);
}

static void lock_is_all_or_nothing(void **state) {
    (void)state;
    char *p = committed_memory(6 * page);
    int error = mb_os_lock(p, 2 * page);
    if (error == -ENOMEM || error == -EPERM) skip(); // no right to lock here
    assert_int_equal(error, 0);
    assert_int_equal(kernel_mapping_of(p).locked_kib, 2 * page >> 10);
    assert_int_equal(mb_os_resident_pages(p, 2 * page), 2);
    assert_int_equal(mb_os_unlock(p, 2 * page), 0);
    assert_int_equal(kernel_mapping_of(p).locked_kib, 0);
    assert_int_equal(mb_os_unmap(p + 4 * page, page), 0);
    assert_int_equal(mb_os_lock(p, 6 * page), -ENOMEM);
    assert_false(kernel_has_flag(p, "lo"));
    mb_os_unmap(p, 6 * page);
}

static bool reads_zero(void *p) { return *(const char *)p == 0; }

static void secrets_stay_here(void **state) {
    (void)state;
    char *p = committed_memory(2 * page);
    memset(p, 's', 2 * page);
    assert_int_equal(mb_os_no_dump(p, page), 0);
    assert_true(kernel_has_flag(p, "dd"));
    assert_false(kernel_has_flag(p + page, "dd"));
    assert_int_equal(mb_os_wipe_on_fork(p, page), 0);
    assert_int_equal(child_outcome(reads_zero, p), 0);
    assert_int_equal(child_outcome(reads_zero, p + page), -1);
    assert_all_bytes(p, 2 * page, 's');
    mb_os_unmap(p, 2 * page);
}

// The policy of an address, from the kernel: mode and the first 64 nodes.
static long policy_at(void *p, int *mode, unsigned long *nodes) {
    unsigned long words[16] = {0}; // 1024 nodes, what kernels are built for at most
    long result = syscall(SYS_get_mempolicy, mode, words, 1024, p, MPOL_F_ADDR);
    *nodes = words[0];
    return result;
}

static void bind_nodes_sets_the_policy(void **state) {
    (void)state;
    char *p = committed_memory(2 * page);
    const uint64_t node_0 = 1, nowhere[2] = {0, 1};
    int error = mb_os_bind_nodes(p, page, &node_0, 1);
    if (error == -ENOSYS || error == -EPERM) skip(); // a kernel or container without NUMA policies
    assert_int_equal(error, 0);
    int mode;
    unsigned long nodes;
    assert_int_equal(policy_at(p, &mode, &nodes), 0);
    assert_int_equal(mode, MPOL_BIND);
    assert_int_equal(nodes, 1);
    assert_int_equal(policy_at(p + page, &mode, &nodes), 0);
    assert_int_equal(mode, MPOL_DEFAULT);
    assert_int_equal(mb_os_bind_nodes(p + page, page, nowhere, 2), -EINVAL); // node 64
    assert_int_equal(mb_os_bind_nodes(p + page, page, nowhere, 1), -EINVAL); // no node
    memset(p, 1, page);
    mb_os_unmap(p, 2 * page);
}

static int64_t accept_no_more_than_all_bits(const uint64_t arguments[6]) {
    enum { WORDS = 3 };
    return arguments[4] == WORDS * 64 + 1 ? 0 : -E2BIG; // the kernel takes one bit less than it is told
}

static bool bind_three_words(void *p) {
    const uint64_t nodes[3] = {1, 0, UINT64_C(1) << 63};
    if (!kernel_stand_in(SYS_mbind, -1, 0, accept_no_more_than_all_bits)) return true;
    return mb_os_bind_nodes(p, page, nodes, 3) == 0;
}

static void bind_nodes_passes_the_last_bit(void **state) {
    (void)state;
    char *p = committed_memory(page);
    assert_int_equal(child_outcome(bind_three_words, p), 0);
    mb_os_unmap(p, page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purge_returns_pages_even_if_locked),
        cmocka_unit_test(populate_makes_resident),
        cmocka_unit_test(populate_works_without_the_advice),
        cmocka_unit_test(resident_pages_counts_exactly),
        cmocka_unit_test(advise_huge_acts_both_ways),
        cmocka_unit_test(guard_faults_without_a_mapping_of_its_own),
        cmocka_unit_test(lock_is_all_or_nothing),
        cmocka_unit_test(secrets_stay_here),
        cmocka_unit_test(bind_nodes_sets_the_policy),
        cmocka_unit_test(bind_nodes_passes_the_last_bit),
    };
    return cmocka_run_group_tests_name("platform: contents and advice", tests, begin, NULL);
}
