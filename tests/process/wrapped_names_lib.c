// A preloaded library that wraps functions of the C library, as profilers, tracers, checkpointers and sandboxes do.
// Each wrapper allocates and frees under a lock of its own before it calls the original. The allocator must call none
// of them: from malloc that would be a deadlock, and during its start or in the middle of a change a reentrant call.
//
// A wrapper takes and returns full registers, which fits all these functions.
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

// clang-format off
// What the allocator has called, calls, or might come to call.
#define NAMES(NAME) \
    NAME(memcpy) NAME(memmove) NAME(memset) NAME(memcmp) NAME(memchr) NAME(strlen) NAME(strnlen) NAME(strcmp) NAME(strncmp) \
    NAME(strchr) NAME(strrchr) NAME(strspn) NAME(strstr) NAME(__errno_location) NAME(getauxval) NAME(getenv) NAME(secure_getenv) \
    NAME(sysconf) NAME(getpagesize) NAME(getpid) NAME(abort) NAME(raise) NAME(kill) NAME(write) NAME(read) NAME(open) NAME(close) \
    NAME(brk) NAME(sbrk) NAME(getrandom) NAME(clock_gettime) NAME(gettimeofday) NAME(nanosleep) NAME(sched_yield) NAME(sched_getcpu) \
    NAME(getrlimit) NAME(sigaction) NAME(sigfillset) NAME(sigemptyset) NAME(sigprocmask) NAME(pthread_sigmask) NAME(pthread_create) \
    NAME(pthread_join) NAME(pthread_detach) NAME(pthread_self) NAME(pthread_key_create) NAME(pthread_key_delete) \
    NAME(pthread_setspecific) NAME(pthread_getspecific) NAME(pthread_once) NAME(pthread_setcancelstate) NAME(pthread_attr_init) \
    NAME(pthread_attr_destroy) NAME(pthread_attr_setstacksize) NAME(pthread_attr_setsigmask_np) NAME(pthread_mutex_lock) \
    NAME(pthread_mutex_unlock) NAME(__register_atfork) NAME(dl_iterate_phdr) NAME(__cxa_atexit) NAME(dladdr) NAME(fork)

// What it exports, too, and passes on when the program calls it (preload/page_state.c).
#define PASSED_ON(NAME) \
    NAME(mmap) NAME(munmap) NAME(mremap) NAME(mprotect) NAME(madvise) NAME(mlock) NAME(prctl)

enum name {
#define INDEX(name) OF_##name,
    NAMES(INDEX) NAMES_END,
    PASSED_ON(INDEX) COUNT
};
static const char *const names[] = {
#define TEXT(name) #name,
    NAMES(TEXT) "", PASSED_ON(TEXT)
};
// clang-format on

typedef long any_function(long, long, long, long, long, long);
static any_function *_Atomic next[COUNT];
static uintptr_t allocator_begin, allocator_end;
static _Atomic int lock;
static _Atomic long calls;
static __thread int inside;

long wrapped_calls(void);
long wrapped_calls(void) { return calls; }

static void say(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') length++;
    syscall(SYS_write, 2, text, length);
}

static void give_up(const char *name, const char *why) {
    say("FAIL: ");
    say(name);
    say(why);
    syscall(SYS_exit_group, 9);
}

static int note_allocator(struct dl_phdr_info *object, size_t bytes, void *unused) {
    (void)bytes, (void)unused;
    const char *name = object->dlpi_name, wanted[] = "libmbmalloc.so";
    for (; *name != '\0'; name++) {
        size_t i = 0;
        while (wanted[i] != '\0' && name[i] == wanted[i]) i++;
        if (wanted[i] == '\0') break;
    }
    if (*name == '\0') return 0;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_LOAD) continue;
        uintptr_t end = object->dlpi_addr + object->dlpi_phdr[i].p_vaddr + object->dlpi_phdr[i].p_memsz;
        if (end > allocator_end) allocator_end = end;
    }
    allocator_begin = object->dlpi_addr;
    return 1;
}

static any_function *find(enum name name) {
    any_function *function = next[name];
    if (function == NULL) {
        next[name] = function = (any_function *)dlsym(RTLD_NEXT, names[name]);
        if (function == NULL) give_up(names[name], " has nothing behind it\n");
    }
    return function;
}

static void allocate(void) {
    unsigned char *p = malloc(333);
    for (int i = 0; p != NULL && i < 333; i++) p[i] = (unsigned char)i;
    free(realloc(p, 2000));
    free(calloc(7, 100));
    if (calls % 64 == 0) free(malloc(300000));
}

static any_function *enter(enum name name, uintptr_t caller) {
    if (allocator_end == 0) find(OF_dl_iterate_phdr)((long)note_allocator, 0, 0, 0, 0, 0);
    if (name < NAMES_END && caller >= allocator_begin && caller < allocator_end) give_up(names[name], " is called by the allocator\n");
    if (inside != 0) give_up(names[name], " is called inside of malloc\n");
    any_function *function = find(name);
    uint64_t all = UINT64_MAX, before = 0; // a program's own handler may call what is wrapped: bash's for SIGCHLD
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof all);
    inside = 1;
    while (atomic_exchange(&lock, 1) != 0) syscall(SYS_sched_yield);
    calls++;
    allocate();
    atomic_store(&lock, 0);
    inside = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof all);
    return function;
}

#define WRAP(name)                                                                                                                         \
    long wrap_##name(long a, long b, long c, long d, long e, long f) __asm__(#name) __attribute__((visibility("default")));                \
    long wrap_##name(long a, long b, long c, long d, long e, long f) {                                                                     \
        return enter(OF_##name, (uintptr_t)__builtin_return_address(0))(a, b, c, d, e, f);                                                 \
    }
NAMES(WRAP)
PASSED_ON(WRAP)
