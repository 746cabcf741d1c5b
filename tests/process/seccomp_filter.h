// A seccomp filter that kills the process on every system call that is not in a table.
//
// With MB_TEST_SECCOMP_TRAP=1 in the environment the offending call is printed instead, for debugging.
#ifndef MB_TESTS_PROCESS_SECCOMP_FILTER_H
#define MB_TESTS_PROCESS_SECCOMP_FILTER_H

#include "tests/process/expect.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { FILTER_MAX_CALLS = 32, FILTER_MAX = FILTER_MAX_CALLS + 4 };

// What an allocator may use: memory, futex and clock calls.
#define CALLS_OF_ALLOCATOR \
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_mremap, SYS_brk, SYS_futex, SYS_clock_gettime, SYS_clock_nanosleep

// What the C library also needs to end a thread and the process, and the test to print its result.
#define CALLS_OF_ENDING SYS_write, SYS_exit, SYS_exit_group, SYS_rt_sigprocmask

// What the C library also needs to start a thread.
#define CALLS_OF_STARTING SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_rt_sigaction, SYS_membarrier

// glibc's malloc counts the processors when a thread makes its arena and reads a file when an arena shrinks; ours
// must do neither.
#define CALLS_OF_GLIBC_MALLOC SYS_sched_getaffinity, SYS_openat, SYS_read, SYS_close

static inline void name_trapped(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    char text[64];
    snprintf(text, sizeof text, "forbidden system call %d\n", info->si_syscall);
    say(text);
    _exit(1);
}

static inline uint32_t filter_verdict(void) {
    if (getenv("MB_TEST_SECCOMP_TRAP") == NULL) return SECCOMP_RET_KILL_PROCESS;
    struct sigaction action = {.sa_sigaction = name_trapped, .sa_flags = SA_SIGINFO};
    EXPECT(sigaction(SIGSYS, &action, NULL) == 0);
    return SECCOMP_RET_TRAP;
}

// Puts the filter on every thread of the process. False where the kernel has no seccomp.
static inline bool filter_install(const int *calls, size_t count) {
    struct sock_filter filter[FILTER_MAX];
    unsigned short n = 0;
    EXPECT(count <= FILTER_MAX_CALLS);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < count; i++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(count - i), 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, filter_verdict());
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {n, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

#endif
