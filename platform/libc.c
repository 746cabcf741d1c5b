#include "platform/libc.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "platform/syscall_linux.h"

// Only in glibc.
__attribute__((weak)) const char *gnu_get_libc_version(void);
__attribute__((weak)) int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
__attribute__((weak)) int pthread_attr_setsigmask_np(pthread_attr_t *, const sigset_t *); // from 2.32 on
// In glibc pthread_atfork is linked into each object statically, in musl it is in libc.so.
#pragma weak pthread_atfork

// glibc has a libpthread of its own before 2.34. In musl the loader and the library are one file.
const char *const mb_libc_files[] = {"libc.so", "libpthread.so.0", "ld-musl-", NULL};

bool mb_libc_is_glibc(void) { return gnu_get_libc_version != NULL; }

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

bool mb_libc_is_named(const char *file) {
    const char *slash = file != NULL ? strrchr(file, '/') : NULL, *name = slash != NULL ? slash + 1 : file;
    return name != NULL && (starts_with(name, "libc.so") || starts_with(name, "libc.musl-") || starts_with(name, "ld-musl-"));
}

bool mb_libc_at_fork(void (*child)(void)) {
    if (__register_atfork != NULL && __register_atfork(NULL, NULL, child, NULL) == 0) return true;
    return pthread_atfork != NULL && pthread_atfork(NULL, NULL, child) == 0;
}

// --- a thread without signals ----------------------------------------------------------------------------------------

// All signals but 32 to 34, by which the C libraries make every thread act (cancellation, setuid) and wait for it.
static const uint64_t SIGNALS = ~(UINT64_C(7) << 31);

static uint64_t change_signals(int how, uint64_t mask) {
    uint64_t old = 0;
    mb_syscall4(__NR_rt_sigprocmask, how, mb_arg(&mask), mb_arg(&old), sizeof mask);
    return old;
}

uint64_t mb_libc_block_signals(void) { return change_signals(SIG_BLOCK, SIGNALS); }
void mb_libc_restore_signals(uint64_t signals) { change_signals(SIG_SETMASK, signals); }

// Where the attributes cannot name a signal mask: a new thread inherits that of its creator.
static bool create_masked(mb_libc_create *create, pthread_t *out, pthread_attr_t *attributes, void *(*body)(void *)) {
    uint64_t old = mb_libc_block_signals();
    bool created = create(out, attributes, body, NULL) == 0;
    mb_libc_restore_signals(old);
    return created;
}

// False: the C library has no such function, or the function fails.
static bool set_no_signals(pthread_attr_t *attributes) {
    sigset_t all;
    memset(&all, 0xff, sizeof all); // the library leaves out the signals that it needs itself
    return pthread_attr_setsigmask_np != NULL && pthread_attr_setsigmask_np(attributes, &all) == 0;
}

enum { STACK_BYTES_MOST = 1 << 20 };

// The least that the libc allows depends on the architecture (128 KiB on aarch64) and on the size of its registers.
static bool set_stack(pthread_attr_t *attributes, size_t bytes) {
    for (; bytes <= STACK_BYTES_MOST; bytes *= 2)
        if (pthread_attr_setstacksize(attributes, bytes) == 0) return true;
    return false;
}

bool mb_libc_create_quiet(mb_libc_create *create, pthread_t *out, size_t stack_bytes, void *(*body)(void *)) {
    pthread_attr_t attributes;
    if (create == NULL || pthread_attr_setstacksize == NULL || pthread_attr_init(&attributes) != 0) return false;
    bool created = set_stack(&attributes, stack_bytes) && (set_no_signals(&attributes) ? create(out, &attributes, body, NULL) == 0
                                                                                       : create_masked(create, out, &attributes, body));
    pthread_attr_destroy(&attributes);
    return created;
}
