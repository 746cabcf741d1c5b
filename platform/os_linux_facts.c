// What: the part of platform/os.h that asks about the machine and the process: sizes, limits, environment, clock,
// random bytes.
// Who: any thread, before the first constructor too. Cached sizes are relaxed atomics that every thread writes with the
// same value.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // environ, program_invocation_short_name
#endif
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "platform/auxv_linux.h"
#include "platform/bits.h"
#include "platform/file_linux.h"
#include "platform/kernel_linux.h"
#include "platform/os.h"
#include "platform/syscall_linux.h"
#include "platform/vdso_linux.h"

// --- sizes ----------------------------------------------------------------------------------------------------------

size_t mb_os_page_size(void) {
    static _Atomic size_t cached; // written by any thread, always with the same value
    size_t size = atomic_load_explicit(&cached, memory_order_relaxed);
    if (size != 0) return size;
    size = mb_auxv(AT_PAGESZ);
    if (!mb_is_pow2(size)) size = 4096;
    atomic_store_explicit(&cached, size, memory_order_relaxed);
    return size;
}

size_t mb_os_huge_page_size(void) {
    static _Atomic size_t cached; // as above
    size_t size = atomic_load_explicit(&cached, memory_order_relaxed);
    if (size != 0) return size;
    uint64_t number;
    bool known = mb_file_numbers("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", &number, 1);
    size = known && mb_is_pow2((size_t)number) ? (size_t)number : (size_t)2 << 20;
    atomic_store_explicit(&cached, size, memory_order_relaxed);
    return size;
}

bool mb_os_huge_pages_enabled(void) {
    static const char general[] = "/sys/kernel/mm/transparent_hugepage/enabled";
    bool forbidden = mb_syscall5(__NR_prctl, MB_PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1;
    return !forbidden && (mb_file_contains(general, "[always]") || mb_file_contains(general, "[madvise]"));
}

// --- limits ---------------------------------------------------------------------------------------------------------

// Without /proc: tries the limit, half of it, a quarter and so on, and returns the first size that can be reserved now.
static size_t probe_address_space(size_t limit) {
    size_t page = mb_os_page_size();
    for (size_t bytes = mb_align_down(limit, page); bytes >= page; bytes = mb_align_down(bytes / 2, page)) {
        void *p;
        if (mb_os_reserve(NULL, bytes, &p) != 0) continue;
        mb_os_unmap(p, bytes);
        return bytes;
    }
    return 0;
}

size_t mb_os_address_space_left(void) {
    struct {
        uint64_t soft, hard;
    } limit = {0, 0};
    long result = mb_syscall4(__NR_prlimit64, 0, RLIMIT_AS, 0, mb_arg(&limit));
    if (result != 0 || limit.soft == UINT64_MAX) return SIZE_MAX;
    uint64_t pages;
    if (!mb_file_numbers("/proc/self/statm", &pages, 1)) return probe_address_space(limit.soft);
    uint64_t used = pages * mb_os_page_size();
    return used < limit.soft ? limit.soft - used : 0;
}

void *mb_os_brk(void) { return (void *)(uintptr_t)mb_syscall1(__NR_brk, 0); }

// A futex wait reads the word first: EFAULT if it cannot be read; otherwise EAGAIN, or an immediate time-out if the
// word happens to have the expected value.
static bool readable_word(uintptr_t address) {
    static const struct timespec at_once = {0, 0};
    uintptr_t word = address & ~(uintptr_t)3;
    long result = mb_syscall4(__NR_futex, (long)word, MB_FUTEX_WAIT_PRIVATE, (long)0x9e3779b9, mb_arg(&at_once));
    return result == 0 || result == -EAGAIN || result == -ETIMEDOUT || result == -EINTR;
}

bool mb_os_readable(const void *p, size_t bytes) {
    uintptr_t first = (uintptr_t)p, last = first + (bytes > 0 ? bytes - 1 : 0);
    if (!readable_word(first)) return false; // the topmost addresses are the kernel's: `last` has not wrapped
    return (first & ~(uintptr_t)3) == (last & ~(uintptr_t)3) || readable_word(last);
}

// Asked to move no thread at all from one queue to another, the kernel compares the word, and that is all: no sleep, as
// a wait for the expected value would be.
int mb_os_is_zero_word(const void *p) {
    long result = mb_syscall6(__NR_futex, mb_arg(p), MB_FUTEX_CMP_REQUEUE_PRIVATE, 0, 0, mb_arg(p), 0);
    return result == 0 ? 1 : result == -EAGAIN ? 0 : (int)result;
}

// --- random bytes and time ------------------------------------------------------------------------------------------

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

// Random bits without getrandom: the kernel's 16 random bytes for this program (AT_RANDOM), the time, the address
// layout and a counter of calls.
static uint64_t weak_seed(void) {
    static _Atomic uint64_t calls; // any thread adds; only difference matters
    uint64_t words[2] = {0, 0};
    const void *kernel_bytes = (const void *)mb_auxv(AT_RANDOM);
    if (kernel_bytes != NULL) memcpy(words, kernel_bytes, sizeof words);
    struct timespec now = {0, 0};
    mb_vdso_clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t seed = words[0];
    seed = splitmix(&seed) ^ words[1];
    seed = splitmix(&seed) ^ (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30;
    seed = splitmix(&seed) ^ (uintptr_t)&seed;
    return splitmix(&seed) ^ atomic_fetch_add_explicit(&calls, UINT64_C(1) << 32, memory_order_relaxed);
}

static void weak_random(unsigned char *out, size_t bytes) {
    uint64_t state = weak_seed();
    while (bytes > 0) {
        uint64_t word = splitmix(&state);
        size_t part = mb_min(bytes, sizeof word);
        memcpy(out, &word, part);
        out += part;
        bytes -= part;
    }
}

void mb_os_random(void *out, size_t bytes) {
    enum { NONBLOCK = 1 };
    unsigned char *next = out;
    while (bytes > 0) {
        long got = mb_syscall3(__NR_getrandom, mb_arg(next), mb_arg_size(bytes), NONBLOCK);
        if (got == -EINTR) continue;
        if (got <= 0) break;
        next += got;
        bytes -= (size_t)got;
    }
    if (bytes > 0) weak_random(next, bytes);
}

static uint64_t read_clock(int clock) {
    struct timespec now = {0, 0};
    mb_vdso_clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t mb_os_now_ns(void) { return read_clock(CLOCK_MONOTONIC_COARSE); }
uint64_t mb_os_now_fine_ns(void) { return read_clock(CLOCK_MONOTONIC); }

// --- process --------------------------------------------------------------------------------------------------------

// The stack pointer at the start of the process, from glibc's loader; there stand argc, argv, NULL, the environment,
// NULL. Weak, because only glibc needs it: other C libraries set environ before anything can allocate.
extern void *__libc_stack_end __attribute__((weak));

static char **start_arguments(size_t *count) {
    if (&__libc_stack_end == NULL || __libc_stack_end == NULL) return NULL;
    char **word = __libc_stack_end;
    *count = (size_t)(uintptr_t)word[0];
    bool plausible = *count < ((size_t)1 << 22) && word[*count + 1] == NULL;
    return plausible ? word + 1 : NULL;
}

static char **start_environment(void) {
    size_t count;
    char **arguments = start_arguments(&count);
    return arguments != NULL ? arguments + count + 1 : NULL;
}

static const char *value_of(const char *entry, const char *name, size_t name_bytes) {
    bool match = strncmp(entry, name, name_bytes) == 0 && entry[name_bytes] == '=';
    return match ? entry + name_bytes + 1 : NULL;
}

const char *mb_os_env(const char *name) {
    if (mb_auxv(AT_SECURE) != 0) return NULL;
    char **entry = environ != NULL ? environ : start_environment();
    if (entry == NULL) return NULL;
    size_t name_bytes = strlen(name);
    for (; *entry != NULL; entry++) {
        const char *value = value_of(*entry, name, name_bytes);
        if (value != NULL) return value;
    }
    return NULL;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

const char *mb_os_program_name(void) {
    const char *name = program_invocation_short_name; // empty before libc's constructor
    if (name != NULL && name[0] != '\0') return name;
    const char *path = (const char *)mb_auxv(AT_EXECFN);
    return path != NULL ? base_name(path) : "?";
}

unsigned mb_os_user(void) { return (unsigned)mb_syscall0(__NR_geteuid); }

uint64_t mb_os_page_faults(void) {
    struct rusage usage = {0};
    if (mb_syscall2(__NR_getrusage, RUSAGE_SELF, mb_arg(&usage)) != 0) return 0;
    return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

static bool is_name(const char *path, const char *text, size_t length) {
    if (path == NULL) return false;
    const char *name = base_name(path);
    bool star = length > 0 && text[length - 1] == '*';
    if (star) length--;
    return strncmp(name, text, length) == 0 && (star || name[length] == '\0');
}

bool mb_os_program_is(const char *text, size_t length) {
    size_t count = 0;
    char **arguments = start_arguments(&count);
    const char *first = arguments != NULL && count > 0 ? arguments[0] : program_invocation_name;
    return is_name((const char *)mb_auxv(AT_EXECFN), text, length) || is_name(first, text, length);
}

size_t mb_os_program_file(char *out, size_t bytes) {
    long length = mb_syscall4(__NR_readlinkat, AT_FDCWD, mb_arg("/proc/self/exe"), mb_arg(out), (long)bytes);
    return length > 0 ? (size_t)length : 0;
}

int mb_os_pid(void) { return (int)mb_syscall0(__NR_getpid); }

int mb_os_thread_id(void) { return (int)mb_syscall0(__NR_gettid); }
