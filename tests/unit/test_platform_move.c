// mb_os_move_pages: moves whole pages, refuses what the kernel would do by halves, and survives a late failure.
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "platform/os.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"
#include "tests/unit/small_pages.h"

static void move_pages_moves_and_leaves_zero(void **state) {
    (void)state;
    char *from = committed_memory(16 * page), *to = committed_memory(16 * page);
    memset(from, 'm', 16 * page);
    memset(to, 'o', 16 * page);
    assert_int_equal(mb_os_move_pages(from, to, 16 * page), 0);
    assert_int_equal(mb_os_resident_pages(from, 16 * page), 0);
    assert_int_equal(mb_os_resident_pages(to, 16 * page), 16);
    assert_all_bytes(to, 16 * page, 'm');
    assert_all_bytes(from, 16 * page, 0);
    from[0] = 'w'; // still writable
    mb_os_unmap(from, 16 * page);
    mb_os_unmap(to, 16 * page);
}

static void move_pages_refuses_several_mappings(void **state) {
    (void)state;
    char *from = committed_memory(16 * page), *to = committed_memory(16 * page);
    memset(from, 'm', 16 * page);
    assert_int_equal(mb_os_protect(from + 8 * page, page, MB_OS_READ), 0);
    assert_int_equal(mb_os_move_pages(from, to, 16 * page), -EFAULT);
    assert_all_bytes(from, 16 * page, 'm');
    assert_all_bytes(to, 16 * page, 0);
    assert_int_equal(mb_os_unmap(from + 8 * page, page), 0);
    assert_int_equal(mb_os_move_pages(from, to, 16 * page), -EFAULT);
    assert_all_bytes(from, 8 * page, 'm');
    assert_int_equal(mb_os_move_pages(to, to + page, 8 * page), -EINVAL); // overlapping
    assert_all_bytes(to, 16 * page, 0);
    mb_os_unmap(from, 16 * page);
    mb_os_unmap(to, 16 * page);
}

// A kernel that fails late: the target is gone, and the move did not happen.
static int64_t fail_late(const uint64_t arguments[6]) {
    munmap((void *)(uintptr_t)arguments[4], arguments[2]);
    return -ENOMEM;
}

struct move {
    char *from, *to;
    size_t bytes;
};

static bool move_with_late_failure(void *argument) {
    enum { MOVE = MREMAP_MAYMOVE | MREMAP_FIXED | 4 };
    struct move *it = argument;
    if (!kernel_stand_in(SYS_mremap, 3, MOVE, fail_late)) return true; // nothing to see here
    int error = mb_os_move_pages(it->from, it->to, it->bytes);
    it->to[0] = it->to[it->bytes - 1] = 1; // must be there again
    return error == -ENOMEM && it->from[0] == 'm' && it->from[it->bytes - 1] == 'm';
}

// Another process has taken the charge meanwhile: no writable memory can be mapped.
static bool move_and_lose(void *argument) {
    enum { MOVE = MREMAP_MAYMOVE | MREMAP_FIXED | 4 };
    struct move *it = argument;
    if (!kernel_stand_in(SYS_mremap, 3, MOVE, fail_late)) return true; // nothing to see here
    if (!kernel_refuse(SYS_mmap, 2, PROT_READ | PROT_WRITE, ENOMEM)) return true;
    int error = mb_os_move_pages(it->from, it->to, it->bytes);
    if (error != -ENXIO || mb_os_commit(it->to, it->bytes) != 0) return false; // still reserved
    it->to[0] = it->to[it->bytes - 1] = 1;
    return it->from[0] == 'm' && it->from[it->bytes - 1] == 'm';
}

static void move_pages_mends_its_target(void **state) {
    (void)state;
    struct move it = {committed_memory(16 * page), committed_memory(16 * page), 16 * page};
    memset(it.from, 'm', it.bytes);
    assert_int_equal(child_outcome(move_with_late_failure, &it), 0);
    assert_int_equal(child_outcome(move_and_lose, &it), 0);
    mb_os_unmap(it.from, it.bytes);
    mb_os_unmap(it.to, it.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(move_pages_moves_and_leaves_zero),
        cmocka_unit_test(move_pages_refuses_several_mappings),
        cmocka_unit_test(move_pages_mends_its_target),
    };
    return cmocka_run_group_tests_name("platform: moving pages", tests, begin, NULL);
}
