// A system that refuses madvise is asked again from time to time, not at every free: one thread allocates and frees 12
// MB repeatedly. x86-64 only: the filter's signal handler counts the calls and puts the answer into a register.
#include "tests/process/blocks.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum { BLOCKS = 400, BLOCK_BYTES = 30000, ROUNDS = 300, SKIP = 77 };
static const unsigned most_calls = 2000; // one try may ask for each of some hundred runs; a try at every slab that comes free: 100,000 and more

static volatile unsigned calls;

static void refused(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    calls++;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
}

static bool trap_madvise(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    struct sigaction action = {.sa_sigaction = refused, .sa_flags = SA_SIGINFO};
    EXPECT(sigaction(SIGSYS, &action, NULL) == 0);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

int main(void) {
    static void *blocks[BLOCKS];
    test_begin(60);
    free(block_new(100));
    if (!trap_madvise()) {
        puts("SKIP: no seccomp here");
        return SKIP;
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < BLOCKS; i++) blocks[i] = block_new(BLOCK_BYTES);
        for (int i = 0; i < BLOCKS; i++) block_free(blocks[i]);
    }
    printf("%u calls refused\n", calls);
    if (under_mbmalloc()) EXPECT(calls > 0 && calls < most_calls);
    return 0;
}
