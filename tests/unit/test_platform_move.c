// mb_os_move_pages: moves whole pages, refuses what the kernel would do by halves, and survives a late failure.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/os.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static size_t page;

static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    kernel_small_pages(true);
    return 0;
}

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

// A supervisor thread that answers a seccomp notification for the one mremap that moves: it takes the target away, as a
// kernel does that fails late, and answers ENOMEM.
struct late_failure {
    char *from, *to;
    size_t bytes;
    int listener;
};

static int notify_moves(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * 3),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), // flags 0: the question before
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void *fail_late(void *argument) {
    struct late_failure *it = argument;
    struct seccomp_notif request;
    struct seccomp_notif_resp answer;
    while (__atomic_load_n(&it->listener, __ATOMIC_ACQUIRE) == -1) usleep(100);
    if (it->listener < 0) return NULL;
    memset(&request, 0, sizeof request);
    memset(&answer, 0, sizeof answer);
    if (ioctl(it->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) _exit(1);
    munmap(it->to, it->bytes);
    answer.id = request.id;
    answer.error = -ENOMEM;
    ioctl(it->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    return NULL;
}

static bool move_with_late_failure(void *argument) {
    struct late_failure *it = argument;
    pthread_t supervisor;
    if (pthread_create(&supervisor, NULL, fail_late, it) != 0) return false;
    int listener = notify_moves();
    __atomic_store_n(&it->listener, listener < 0 ? -2 : listener, __ATOMIC_RELEASE);
    if (listener < 0) _exit(0); // no notifications here: nothing to see
    int error = mb_os_move_pages(it->from, it->to, it->bytes);
    pthread_join(supervisor, NULL);
    it->to[0] = it->to[it->bytes - 1] = 1; // must be there again
    return error == -ENOMEM && it->from[0] == 'm' && it->from[it->bytes - 1] == 'm';
}

static void move_pages_mends_its_target(void **state) {
    (void)state;
    struct late_failure it = {committed_memory(16 * page), committed_memory(16 * page), 16 * page, -1};
    memset(it.from, 'm', it.bytes);
    assert_int_equal(child_outcome(move_with_late_failure, &it), 0);
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
