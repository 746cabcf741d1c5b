#include "platform/libc.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "platform/syscall_linux.h"

// glibc's alone.
__attribute__((weak)) const char *gnu_get_libc_version(void);
__attribute__((weak)) int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *);
__attribute__((weak)) int pthread_attr_setsigmask_np(pthread_attr_t *, const sigset_t *); // from 2.32 on
// In glibc a function that is linked into each object, in musl the library's own.
#pragma weak pthread_atfork

// libpthread: before glibc 2.34. musl's loader is its library.
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

// --- a thread without signals -------------------------------------------------------------------------------------------

// Not those by which the libraries reach every thread (32 to 34: cancellation, changes of the user id): who sends them waits.
static const uint64_t SIGNALS = ~(UINT64_C(7) << 31);

static uint64_t change_signals(int how, uint64_t mask) {
    uint64_t old = 0;
    mb_syscall4(__NR_rt_sigprocmask, how, mb_arg(&mask), mb_arg(&old), sizeof mask);
    return old;
}

// A thread begins with its creator's mask, where the attributes cannot name one.
static bool create_masked(mb_libc_create *create, pthread_t *out, pthread_attr_t *attributes, void *(*body)(void *)) {
    uint64_t old = change_signals(SIG_BLOCK, SIGNALS);
    bool created = create(out, attributes, body, NULL) == 0;
    change_signals(SIG_SETMASK, old);
    return created;
}

// A library that cannot name them may have the function all the same, which then fails.
static bool set_no_signals(pthread_attr_t *attributes) {
    sigset_t all;
    memset(&all, 0xff, sizeof all); // it leaves out its own
    return pthread_attr_setsigmask_np != NULL && pthread_attr_setsigmask_np(attributes, &all) == 0;
}

bool mb_libc_create_quiet(mb_libc_create *create, pthread_t *out, size_t stack_bytes, void *(*body)(void *)) {
    pthread_attr_t attributes;
    if (create == NULL || pthread_attr_setstacksize == NULL || pthread_attr_init(&attributes) != 0) return false;
    bool created =
        pthread_attr_setstacksize(&attributes, stack_bytes) == 0 &&
        (set_no_signals(&attributes) ? create(out, &attributes, body, NULL) == 0 : create_masked(create, out, &attributes, body));
    pthread_attr_destroy(&attributes);
    return created;
}
