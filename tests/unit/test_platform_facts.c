// Facts through platform/os.h: sizes, limits, readability, random bytes and the clock, compared with the kernel's.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/cpu.h"
#include "platform/os.h"
#include "platform/vdso_linux.h"
#include "platform/window.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static size_t page;

static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    return 0;
}

// Without stdio, whose buffer would be counted.
static size_t number_in(const char *path) {
    char text[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    return got > 0 ? strtoull(text, NULL, 10) : 0;
}

// --- the processor ---------------------------------------------------------------------------------------------------

static unsigned count_one_by_one(uint64_t x) {
    unsigned count = 0;
    for (; x != 0; x >>= 1) count += (unsigned)(x & 1);
    return count;
}

static void check_counts(void) {
    for (uint64_t x = 1, i = 0; i < 1000; i++, x = x * UINT64_C(6364136223846793005) + 1442695040888963407) {
        assert_int_equal(mb_count_bits(x), count_one_by_one(x));
        assert_int_equal(mb_count_bits(UINT64_C(1) << (i % 64)), 1);
    }
    assert_int_equal(mb_count_bits(0), 0);
    assert_int_equal(mb_count_bits(UINT64_MAX), 64);
}

static void bits_are_counted_with_the_instruction_and_without(void **state) {
    (void)state;
    mb_cpu_look();
    check_counts();
    bool has = mb_cpu_counts_bits;
    mb_cpu_counts_bits = false;
    check_counts();
    mb_cpu_counts_bits = has;
}

// --- sizes and limits -----------------------------------------------------------------------------------------------

static void sizes_are_the_kernels(void **state) {
    (void)state;
    assert_int_equal(mb_os_page_size(), sysconf(_SC_PAGESIZE));
    size_t huge = number_in("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
    assert_int_equal(mb_os_huge_page_size(), huge != 0 ? huge : (size_t)2 << 20);
    assert_ptr_equal(mb_os_brk(), sbrk(0));
    assert_int_equal(mb_os_pid(), getpid());
}

static const size_t MARGIN = (size_t)256 << 20;

static bool files_are_refused(void) { return kernel_refuse(SYS_openat, -1, 0, ENOENT); }

// Limits this process so that MARGIN is left, and tells whether the answer is right within `slack`.
static bool left_within(size_t slack, bool with_files) {
    size_t used = number_in("/proc/self/statm") * page;
    struct rlimit limit = {used + MARGIN, used + MARGIN};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return false;
    if (!with_files && !files_are_refused()) return true;
    size_t left = mb_os_address_space_left();
    return left <= MARGIN && left >= MARGIN - slack;
}

static bool left_is_exact(void *unused) {
    (void)unused;
    return left_within((size_t)1 << 20, true);
}

static bool left_is_estimated(void *unused) {
    (void)unused;
    return left_within(MARGIN / 4 * 3, false);
}

static bool left_needs_no_file_without_limit(void *unused) {
    (void)unused;
    if (!files_are_refused()) return true;
    return openat(AT_FDCWD, "/proc/self/statm", O_RDONLY) == -1 && mb_os_address_space_left() == SIZE_MAX;
}

static void address_space_left_follows_the_limit(void **state) {
    (void)state;
    if (mb_os_address_space_left() != SIZE_MAX) skip(); // this test runs under a limit already
    assert_int_equal(child_outcome(left_is_exact, NULL), 0);
    assert_int_equal(child_outcome(left_needs_no_file_without_limit, NULL), 0);
    assert_int_equal(child_outcome(left_is_estimated, NULL), 0);
}

// --- readability ----------------------------------------------------------------------------------------------------

static void readable_sees_both_edges(void **state) {
    (void)state;
    char *p = reserved_memory(4 * page);
    assert_int_equal(mb_os_commit(p + page, 2 * page), 0);
    char *first = p + page, *end = p + 3 * page;
    for (size_t bytes = 1; bytes <= 9; bytes++) {
        assert_true(mb_os_readable(first, bytes));
        assert_true(mb_os_readable(end - bytes, bytes));
        assert_false(mb_os_readable(end - bytes, bytes + 1));
        assert_false(mb_os_readable(end - bytes + 1, bytes));
        assert_false(mb_os_readable(first - 1, bytes));
    }
    assert_true(mb_os_readable(first, page));
    assert_true(mb_os_readable(first + 1, page)); // across two pages
    assert_false(mb_os_readable(end - page + 1, page));
    assert_int_equal(mb_os_protect(first, 2 * page, MB_OS_READ), 0);
    assert_true(mb_os_readable(first, page));
    mb_os_unmap(p, 4 * page);
    assert_false(mb_os_readable(first, 1));
}

static void readable_refuses_impossible_addresses(void **state) {
    (void)state;
    int local = 0;
    assert_true(mb_os_readable(&local, sizeof local));
    assert_true(mb_os_readable("text", 5));
    assert_false(mb_os_readable(NULL, 1));
    assert_false(mb_os_readable((void *)8, 8));
    assert_false(mb_os_readable((void *)(uintptr_t)0x8000000000000000u, 8)); // not canonical
    assert_false(mb_os_readable((void *)(uintptr_t)0xffffffff81000000u, 8)); // the kernel's
    assert_false(mb_os_readable((void *)(UINTPTR_MAX - 3), 16)); // wraps
}

static void readable_stops_at_the_end_of_a_file(void **state) {
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), (off_t)page), 0);
    char *p = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fileno(file), 0);
    assert_true(p != MAP_FAILED);
    assert_true(mb_os_readable(p + page - 8, 8));
    assert_false(mb_os_readable(p + page, 8)); // a load would be a bus error
    munmap(p, 2 * page);
    fclose(file);
}

static void zero_words_are_told_from_others(void **state) {
    (void)state;
    char *p = reserved_memory(2 * page);
    uint32_t *word = (uint32_t *)(p + page - sizeof *word);
    assert_int_equal(mb_os_commit(p, page), 0);
    assert_int_equal(mb_os_is_zero_word(word), 1);
    *word = 0x01000000;
    assert_int_equal(mb_os_is_zero_word(word), 0);
    assert_int_equal(mb_os_is_zero_word(word - 1), 1);
    *word = 0;
    assert_int_equal(mb_os_is_zero_word(word), 1);
    assert_int_equal(mb_os_is_zero_word(p + page), -EFAULT);
    assert_int_equal(mb_os_protect(p, page, MB_OS_READ), 0);
    assert_int_equal(mb_os_is_zero_word(word), 1);
    assert_int_equal(mb_os_protect(p, page, 0), 0);
    assert_int_equal(mb_os_is_zero_word(word), -EFAULT);
    mb_os_unmap(p, 2 * page);
}

// --- random bytes ---------------------------------------------------------------------------------------------------

static size_t zero_bytes(const unsigned char *bytes, size_t count) {
    size_t zeros = 0;
    for (size_t i = 0; i < count; i++) zeros += bytes[i] == 0;
    return zeros;
}

// Two fills differ, are not mostly zero, and stay within their bounds.
static bool looks_random(void *unused) {
    (void)unused;
    unsigned char a[1003] = {0}, b[1003] = {0};
    mb_os_random(a, 1001);
    mb_os_random(b, 1001);
    bool differ = memcmp(a, b, 16) != 0 && memcmp(a + 985, b + 985, 16) != 0;
    return differ && zero_bytes(a, 1001) < 50 && a[1001] == 0 && a[1002] == 0;
}

static bool looks_random_without_the_kernel(void *unused) {
    char byte;
    if (!kernel_refuse(SYS_getrandom, -1, 0, ENOSYS)) return true;
    return syscall(SYS_getrandom, &byte, 1, 0) == -1 && looks_random(unused);
}

static void random_fills(void **state) {
    (void)state;
    assert_true(looks_random(NULL));
    assert_int_equal(child_outcome(looks_random_without_the_kernel, NULL), 0);
}

// --- clock ----------------------------------------------------------------------------------------------------------

static uint64_t libc_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void clock_is_the_monotonic_one(void **state) {
    (void)state;
    uint64_t before = libc_now(), now = mb_os_now_ns(), after = libc_now();
    assert_true(before <= now && now <= after);
    usleep(30000);
    uint64_t later = mb_os_now_ns();
    assert_true(later >= now + 10000000 && later < now + UINT64_C(30000000000));
    struct timespec time;
    assert_int_equal(mb_vdso_clock_gettime(12345, &time), -EINVAL);
}

static bool clock_without_system_call(void *unused) {
    (void)unused;
    if (!kernel_refuse(SYS_clock_gettime, -1, 0, 0)) return true;
    return mb_os_now_ns() != 0;
}

static void clock_makes_no_system_call(void **state) {
    (void)state;
    if (getauxval(AT_SYSINFO_EHDR) == 0) skip(); // no vDSO
    assert_int_equal(child_outcome(clock_without_system_call, NULL), 0);
}

// --- window ---------------------------------------------------------------------------------------------------------

static void window_candidates_can_be_reserved(void **state) {
    (void)state;
    for (unsigned round = 0; round < 64; round++) {
        struct mb_os_window window[MB_OS_WINDOW_CANDIDATES];
        uint64_t random;
        mb_os_random(&random, sizeof random);
        mb_os_window_candidates(random, window);
        for (int i = 0; i < MB_OS_WINDOW_CANDIDATES; i++) {
            if (window[i].bytes == 0) continue;
            assert_true(window[i].first <= window[i].start && window[i].start < window[i].last);
            assert_int_equal(window[i].start % ((uintptr_t)2 << 20), 0);
            void *p;
            assert_int_equal(mb_os_reserve((void *)window[i].start, (size_t)64 << 20, &p), 0);
            assert_int_equal(mb_os_unmap(p, (size_t)64 << 20), 0);
        }
    }
}

static void window_starts_differ(void **state) {
    (void)state;
    struct mb_os_window a[MB_OS_WINDOW_CANDIDATES], b[MB_OS_WINDOW_CANDIDATES];
    mb_os_window_candidates(UINT64_C(0x0123456789abcdef), a);
    mb_os_window_candidates(UINT64_C(0xfedcba9876543210), b);
    for (int i = 0; i < MB_OS_WINDOW_CANDIDATES; i++) {
        if (a[i].bytes != 0) assert_true(a[i].start != b[i].start);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_counted_with_the_instruction_and_without),
        cmocka_unit_test(sizes_are_the_kernels),
        cmocka_unit_test(address_space_left_follows_the_limit),
        cmocka_unit_test(readable_sees_both_edges),
        cmocka_unit_test(readable_refuses_impossible_addresses),
        cmocka_unit_test(readable_stops_at_the_end_of_a_file),
        cmocka_unit_test(zero_words_are_told_from_others),
        cmocka_unit_test(random_fills),
        cmocka_unit_test(clock_is_the_monotonic_one),
        cmocka_unit_test(clock_makes_no_system_call),
        cmocka_unit_test(window_candidates_can_be_reserved),
        cmocka_unit_test(window_starts_differ),
    };
    return cmocka_run_group_tests_name("platform: facts", tests, begin, NULL);
}
