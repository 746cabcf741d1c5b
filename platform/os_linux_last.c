// What: the rest of platform/os.h on Linux: waiting (futex), writing to descriptors, ending the process; and small
// files of the kernel (platform/file_linux.h).
// Who: any thread, a signal handler included; no state.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // O_CLOEXEC, SIG_UNBLOCK under -std=c11
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "platform/file_linux.h"
#include "platform/kernel_linux.h"
#include "platform/os.h"
#include "platform/syscall_linux.h"

// --- waiting ---------------------------------------------------------------------------------------------------------

void mb_os_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns) {
    struct timespec limit = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
    const struct timespec *timeout = timeout_ns == UINT64_MAX ? NULL : &limit;
    mb_syscall4(__NR_futex, mb_arg(word), MB_FUTEX_WAIT_PRIVATE, (long)expected, mb_arg(timeout));
}

void mb_os_wake(_Atomic uint32_t *word, int threads) { mb_syscall3(__NR_futex, mb_arg(word), MB_FUTEX_WAKE_PRIVATE, threads); }

// --- files -----------------------------------------------------------------------------------------------------------

static int open_file(const char *path, int flags) { return (int)mb_syscall4(__NR_openat, AT_FDCWD, mb_arg(path), flags | O_CLOEXEC, 0666); }

static long write_some(int fd, const char *bytes, size_t count) {
    long written;
    do written = mb_syscall3(__NR_write, fd, mb_arg(bytes), mb_arg_size(count));
    while (written == -EINTR);
    return written;
}

int mb_os_write_all(int fd, const void *bytes, size_t count) {
    const char *next = bytes;
    while (count > 0) {
        long written = write_some(fd, next, count);
        if (written <= 0) return written < 0 ? (int)written : -ENOSPC;
        next += written;
        count -= (size_t)written;
    }
    return 0;
}

void mb_os_write(int fd, const void *bytes, size_t count) { mb_os_write_all(fd, bytes, count); }

int mb_os_append_file(const char *path, const void *bytes, size_t count) {
    int fd = open_file(path, O_WRONLY | O_APPEND | O_CREAT);
    if (fd < 0) return fd;
    long written = write_some(fd, bytes, count);
    mb_syscall1(__NR_close, fd);
    if (written < 0) return (int)written;
    return (size_t)written == count ? 0 : -ENOSPC;
}

enum { FILE_TEXT_BYTES = 256 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *read_number(const char *text, uint64_t *out) {
    while (*text != '\0' && !is_digit(*text)) text++;
    if (*text == '\0') return NULL;
    for (*out = 0; is_digit(*text); text++) *out = *out * 10 + (uint64_t)(*text - '0');
    return text;
}

// False when the file cannot be read.
static bool read_text(const char *path, char text[FILE_TEXT_BYTES]) {
    int fd = open_file(path, O_RDONLY);
    if (fd < 0) return false;
    long bytes = mb_syscall3(__NR_read, fd, mb_arg(text), FILE_TEXT_BYTES - 1);
    mb_syscall1(__NR_close, fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    return bytes >= 0;
}

bool mb_file_numbers(const char *path, uint64_t *out, size_t count) {
    char text[FILE_TEXT_BYTES];
    if (!read_text(path, text)) return false;
    const char *next = text;
    for (size_t i = 0; i < count; i++) {
        next = read_number(next, &out[i]);
        if (next == NULL) return false;
    }
    return true;
}

bool mb_file_contains(const char *path, const char *wanted) {
    char text[FILE_TEXT_BYTES];
    return read_text(path, text) && strstr(text, wanted) != NULL;
}

// --- the last word ---------------------------------------------------------------------------------------------------

// A kernel's struct sigaction of zeros means SIG_DFL without flags on every architecture.
static void default_action(int signal_number) {
    uint64_t action[8] = {0};
    mb_syscall4(__NR_rt_sigaction, signal_number, mb_arg(action), 0, sizeof(uint64_t));
}

static void raise_in_this_thread(int signal_number) {
    long process = mb_syscall0(__NR_getpid), thread = mb_syscall0(__NR_gettid);
    mb_syscall3(__NR_tgkill, process, thread, signal_number);
}

static void change_mask(int how, int signal_number) {
    uint64_t one = UINT64_C(1) << (signal_number - 1);
    mb_syscall4(__NR_rt_sigprocmask, how, mb_arg(&one), 0, sizeof one);
}

void mb_os_block_pipe_signal(void) { change_mask(SIG_BLOCK, SIGPIPE); }

_Noreturn void mb_os_exit(int status) {
    for (;;) mb_syscall1(__NR_exit_group, status);
}

// Not abort(3): it takes a lock that may be held for ever in a forked child.
_Noreturn void mb_os_abort(void) {
    change_mask(SIG_UNBLOCK, SIGABRT);
    raise_in_this_thread(SIGABRT);
    default_action(SIGABRT); // a handler returned, or the signal was ignored
    raise_in_this_thread(SIGABRT);
    mb_os_exit(127); // a tracer swallowed the signal: still never return
}
