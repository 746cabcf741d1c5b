// profile=hardened on a kernel without MADV_GUARD_INSTALL (before Linux 6.13; here a filter refuses it), where guards
// are pages without access. While the process is beyond a limit of its address space the kernel refuses to take spans
// away as a whole: when they are used again, the guards inside them must be gone.
#include "tests/process/expect.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { GUARD_INSTALL = 102, GUARD_REMOVE = 103, BLOCKS = 600, BYTES = 40000 };

static bool refuse_guards(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GUARD_INSTALL, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GUARD_REMOVE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

static void allocate(char **blocks) {
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = keep(malloc(BYTES));
        EXPECT(blocks[i] != NULL);
        memset(blocks[i], 0x5c, BYTES);
    }
}

static void free_all(char **blocks) {
    for (size_t i = 0; i < BLOCKS; i++) free(blocks[i]);
}

static void set_limit(rlim_t bytes) {
    struct rlimit limit;
    EXPECT(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = bytes;
    EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
}

int main(int argc, char **argv) {
    char *blocks[BLOCKS];
    test_begin(60);
    if (argc == 1) {
        if (!refuse_guards()) {
            puts("SKIP: the kernel has no seccomp");
            return 77;
        }
        char *again[] = {argv[0], "again", NULL};
        execv("/proc/self/exe", again);
        EXPECT(false); // execv comes back only with an error
    }
    allocate(blocks);
    set_limit(1 << 20);
    free_all(blocks);
    malloc_trim(0);
    set_limit(RLIM_INFINITY);
    for (int i = 0; i < 3; i++) {
        allocate(blocks);
        free_all(blocks);
    }
    return 0;
}
