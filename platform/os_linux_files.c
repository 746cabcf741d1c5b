// What: the parts of platform/os.h that only options use: files, futexes in shared memory, handlers of ending signals.
// Who: any thread, a signal handler included; no state.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // O_CLOEXEC, SIG_UNBLOCK under -std=c11
#endif
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "platform/file_linux.h"
#include "platform/os.h"
#include "platform/syscall_linux.h"

// --- files -----------------------------------------------------------------------------------------------------------

static int open_file(const char *path, int flags, int mode) {
    return (int)mb_syscall4(__NR_openat, AT_FDCWD, mb_arg(path), flags | O_CLOEXEC, mode);
}

int mb_os_open_to_append(const char *path) { return open_file(path, O_WRONLY | O_APPEND | O_CREAT, 0666); }
int mb_os_open_to_write(const char *path) { return open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600); }
void mb_os_close(int fd) { mb_syscall1(__NR_close, fd); }
int mb_os_duplicate(int fd, int least) { return (int)mb_syscall3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, least); }
void mb_os_remove_file(const char *path) { mb_syscall3(__NR_unlinkat, AT_FDCWD, mb_arg(path), 0); }

bool mb_file_text(const char *path, char *out, size_t size) {
    int fd = open_file(path, O_RDONLY, 0);
    if (fd < 0) return false;
    long bytes = mb_syscall3(__NR_read, fd, mb_arg(out), mb_arg_size(size - 1));
    mb_os_close(fd);
    out[bytes > 0 ? bytes : 0] = '\0';
    return bytes >= 0;
}

int mb_os_open_new(const char *path) {
    mb_os_remove_file(path);
    return open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

// In a folder that others may write to (/tmp), an existing file could be an attacker's: it is removed, never opened.
int mb_os_map_new_file(const char *path, size_t bytes, void **out) {
    mb_os_remove_file(path);
    int fd = open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    int error = mb_syscall_error(mb_syscall2(__NR_ftruncate, fd, mb_arg_size(bytes)));
    long at = error == 0 ? mb_syscall6(__NR_mmap, 0, mb_arg_size(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : error;
    mb_os_close(fd);
    error = mb_syscall_error(at);
    if (error != 0)
        mb_os_remove_file(path);
    else
        *out = (void *)at;
    return error;
}

// --- words that processes share --------------------------------------------------------------------------------------

enum { WAIT = 0, WAKE = 1 }; // operations of futex(2) without the private flag

void mb_os_wait_shared(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns) {
    struct timespec limit = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    const struct timespec *timeout = timeout_ns == UINT64_MAX ? NULL : &limit;
    mb_syscall4(__NR_futex, mb_arg(word), WAIT, (long)expected, mb_arg(timeout));
}

void mb_os_wake_shared(_Atomic uint32_t *word, int threads) { mb_syscall3(__NR_futex, mb_arg(word), WAKE, threads); }

// --- ends by a signal ------------------------------------------------------------------------------------------------

// The kernel's struct sigaction with its restorer, which x86-64 demands. Our handlers never return, so it is not
// called.
struct kernel_action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(int);
    uint64_t mask;
};
enum { RESTORER_IS_NAMED = 0x04000000 };

void mb_os_end_on(int signal_number, void (*handler)(int)) {
    struct kernel_action action;
    if (mb_syscall4(__NR_rt_sigaction, signal_number, 0, mb_arg(&action), sizeof action.mask) != 0 || action.handler != SIG_DFL) return;
    action = (struct kernel_action){handler, RESTORER_IS_NAMED, handler, 0};
    mb_syscall4(__NR_rt_sigaction, signal_number, mb_arg(&action), 0, sizeof action.mask);
}

_Noreturn void mb_os_end_by(int signal_number) {
    static const struct kernel_action normal;
    uint64_t one = UINT64_C(1) << (signal_number - 1);
    mb_syscall4(__NR_rt_sigaction, signal_number, mb_arg(&normal), 0, sizeof normal.mask);
    mb_syscall4(__NR_rt_sigprocmask, SIG_UNBLOCK, mb_arg(&one), 0, sizeof one);
    mb_syscall3(__NR_tgkill, mb_syscall0(__NR_getpid), mb_syscall0(__NR_gettid), signal_number);
    mb_os_exit(128 + signal_number);
}
