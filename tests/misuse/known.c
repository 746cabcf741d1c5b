// What: each kind of heap fault in public test suites (the tests of hardened_malloc, the security tests of
// mimalloc-bench), with profile=hardened and blocks of several sizes. FOUND: the process ends by SIGABRT or SIGSEGV.
// SAFE: the fault has no effect, which the case checks itself. MISSED: core/hardened/README.md says that it is not
// found; the case notices if that changes.
//
// Who: each case runs in a forked child. Written from scratch after the suites' names and comments.
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, NOT_SAFE = 9 };
enum end { FOUND, SAFE, MISSED };
static const char *const end_names[] = {"found", "safe", "missed"};

static size_t bytes;

static char *hide(void *p) {
    __asm__ volatile("" : "+r"(p));
    return p;
}
static char *take(size_t n) { return hide(malloc(n)); }
static void store(char *p, long at, int value) { *(volatile char *)(p + at) = (char)value; }
static char load(const char *p, long at) { return *(const volatile char *)(p + at); }
static void must(bool is_right) {
    if (!is_right) _exit(NOT_SAFE);
}

// Allocates other blocks of the size and keeps them, so that a block whose reuse is delayed is handed out again.
static void take_many(void) {
    for (int i = 0; i < 3000 && i < (int)((64 << 20) / bytes) + 300; i++) take(bytes);
}

// --- overflows -------------------------------------------------------------------------------------------------------

static void over(size_t n) {
    char *p = take(bytes);
    for (size_t i = 0; i < n; i++) store(p, (long)(bytes + i), 'A');
    free(p);
}
static void over_by_1(void) { over(1); }
static void over_by_8(void) { over(8); }
static void over_by_32(void) { over(32); }
static void over_by_1m(void) { over(MIB); }
static void over_by_zero(void) {
    char *p = take(bytes);
    store(p, (long)bytes, 0);
    free(p);
}
static void over_by_copy(void) {
    static char text[MIB];
    char *p = take(bytes);
    memset(text, 'A', sizeof text);
    memcpy(p, text, bytes + 32 < sizeof text ? bytes + 32 : sizeof text);
    if (bytes + 32 >= sizeof text) memcpy(p + bytes - 32, text, 64);
    free(p);
}
static void over_by_string(void) {
    char *p = take(bytes);
    memset(p, 'A', bytes);
    strcat(strcpy(p + bytes - 4, "abc"), "d");
    free(p);
}
static void under(size_t n) {
    char *p = take(bytes);
    for (size_t i = 1; i <= n; i++) store(p, -(long)i, 'A');
    free(p);
}
static void under_by_1(void) { under(1); }
static void under_by_32(void) { under(32); }
static void under_by_1m(void) { under(MIB); }
static void over_shrunk(void) {
    char *p = hide(realloc(take(bytes), bytes / 2));
    store(p, (long)(bytes / 2), 'A');
    free(p);
}
static void read_over(void) {
    char *p = take(bytes);
    load(p, (long)bytes);
}
static void leak_canary(void) {
    char *p = take(bytes);
    memset(p, 'A', bytes);
    must(strnlen(p, bytes + 8) > bytes); // bytes of it can be read as a string
}

// --- frees -----------------------------------------------------------------------------------------------------------

static void twice(void) {
    char *p = take(bytes);
    free(p);
    free(p);
}
static void twice_interleaved(void) {
    char *p = take(bytes), *q = take(bytes);
    free(p);
    free(q);
    free(p);
}
static void twice_reuse(void) {
    char *p = take(bytes);
    free(p);
    hide(take(bytes));
    free(p);
}
static void twice_late(void) {
    char *p = take(bytes);
    free(p);
    for (int i = 0; i < 40; i++) free(take(bytes));
    free(p);
}
static void twice_by_realloc(void) {
    char *p = take(bytes);
    hide(realloc(p, 0));
    free(p);
}
static void free_inside(void) { free(take(bytes) + 1); }
static void free_middle(void) { free(take(bytes) + bytes / 32 * 16 + 16); }
static void free_close(void) { free(take(bytes) + 4096); }
static void free_far(void) { free(take(bytes) + ((uintptr_t)1 << 34)); }
static void free_stack(void) {
    _Alignas(16) char room[64];
    free(hide(room));
}
static void free_static(void) {
    static _Alignas(16) char room[64];
    free(hide(room));
}
static void free_mapping(void) { free(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)); }
static void free_protected(void) { free(mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)); }
static void free_wild(void) { free(hide((void *)(uintptr_t)0x4141414141414140)); }
static void realloc_wild(void) { hide(realloc(hide((void *)(uintptr_t)0x4141414141414140), 16)); }
static void length_of_wild(void) { must(malloc_usable_size(hide((void *)(uintptr_t)0x4141414141414140)) == 0); }
static void length_of_freed(void) {
    char *p = take(bytes);
    free(p);
    must(malloc_usable_size(p) == 0);
}
static void realloc_freed(void) {
    char *p = take(bytes);
    free(p);
    hide(realloc(p, bytes * 2));
}

// --- after free ------------------------------------------------------------------------------------------------------

static void write_freed(void) {
    char *p = take(bytes);
    free(p);
    store(p, (long)(bytes / 2), 'A');
    take_many();
}
static void write_freed_later(void) {
    char *p = take(bytes), *others[10];
    free(p);
    for (int i = 0; i < 10; i++) others[i] = take(bytes);
    store(p, 0, 'A');
    for (int i = 0; i < 10; i++) free(others[i]);
    take_many();
}
static void read_freed(void) {
    char *p = take(bytes);
    memset(p, 'A', bytes);
    free(p);
    for (size_t i = 0; i < bytes; i++) must(load(p, (long)i) != 'A');
}
static void fresh_is_zero(void) {
    for (int i = 0; i < 300; i++) {
        char *p = take(bytes);
        for (size_t k = 0; k < bytes; k++) must(p[k] == 0);
        memset(p, 'A', bytes);
        free(p);
    }
}
static void reuse(void) {
    char *p = take(bytes);
    free(p);
    must(take(bytes) != p && take(bytes / 2) != p);
    char *q = take(bytes);
    must(hide(realloc(q, bytes * 4)) == q || take(bytes) != q);
}

// --- other -----------------------------------------------------------------------------------------------------------

static void write_nothing(void) { store(take(0), 0, 1); }
static void read_nothing(void) { load(take(0), 0); }
static void read_nothing_freed(void) {
    char *p = take(0);
    free(p);
    load(p, 0);
}
static void nothings_differ(void) { must(take(0) != take(0)); }
static void execute(void) {
    char *p = take(bytes);
    store(p, 0, (char)0xc3); // ret; another processor faults all the same
    ((void (*)(void))(uintptr_t)p)();
}
static void too_large(void) {
    must(take((size_t)hide((void *)-(uintptr_t)8192)) == NULL && errno == ENOMEM);
    size_t many = (size_t)hide((void *)((uintptr_t)1 << 40)), most = (size_t)hide((void *)-(uintptr_t)8192);
    must(hide(calloc(many, many)) == NULL);
    must(hide(reallocarray(take(bytes), many, many)) == NULL);
    must(hide(realloc(take(bytes), most)) == NULL);
    void *p = NULL;
    must(posix_memalign(&p, 24, 64) == EINVAL);
}

void free_sized(void *p, size_t n) __attribute__((weak));
void free_aligned_sized(void *p, size_t align, size_t n) __attribute__((weak));
static void free_wrong_size(void) {
    if (free_sized == NULL) abort();
    free_sized(take(bytes), bytes + 1);
}
static void free_wrong_align(void) {
    if (free_aligned_sized == NULL) abort();
    free_aligned_sized(take(bytes), (size_t)1 << 20, bytes);
}

// --- the table -------------------------------------------------------------------------------------------------------

enum { ALL = 31, SMALL = 7, LARGE = 24, ONE = 2 };
static const size_t sizes[] = {24, 256, 3000, 200000, (4 << 20) + 100};
static const struct {
    const char *name;
    void (*deed)(void);
    enum end end;
    unsigned sizes; // bits of `sizes`
} kinds[] = {
    {"overflow by 1 byte", over_by_1, FOUND, ALL},
    {"overflow by 8 bytes", over_by_8, FOUND, ALL},
    {"overflow by 32 bytes", over_by_32, FOUND, ALL},
    {"overflow by 1 MiB", over_by_1m, FOUND, ALL},
    {"overflow by a zero", over_by_zero, FOUND, ALL},
    {"overflow by memcpy", over_by_copy, FOUND, ALL},
    {"overflow by a string", over_by_string, FOUND, ALL},
    {"overflow of a shrunk block", over_shrunk, FOUND, ALL},
    {"underflow by 1 byte", under_by_1, FOUND, ALL},
    {"underflow by 32 bytes", under_by_32, FOUND, ALL},
    {"underflow by 1 MiB", under_by_1m, FOUND, ALL},
    {"read behind a block", read_over, MISSED, ALL},
    {"canary read as a string", leak_canary, MISSED, SMALL},
    {"double free", twice, FOUND, ALL},
    {"double free, another between", twice_interleaved, FOUND, ALL},
    {"double free, one taken between", twice_reuse, FOUND, ALL},
    {"double free, late", twice_late, FOUND, ALL},
    {"double free by realloc to 0", twice_by_realloc, FOUND, ALL},
    {"free of start + 1", free_inside, FOUND, ALL},
    {"free of the middle", free_middle, FOUND, ALL},
    {"free of start + 4096", free_close, FOUND, ONE},
    {"free of start + 16 GiB", free_far, FOUND, ALL},
    {"free of the stack", free_stack, FOUND, ONE},
    {"free of a variable", free_static, FOUND, ONE},
    {"free of a mapping", free_mapping, FOUND, ONE},
    {"free of a protected mapping", free_protected, FOUND, ONE},
    {"free of a wild pointer", free_wild, FOUND, ONE},
    {"realloc of a wild pointer", realloc_wild, FOUND, ONE},
    {"malloc_usable_size of a wild pointer", length_of_wild, FOUND, ONE},
    {"malloc_usable_size of a freed block", length_of_freed, FOUND, ALL},
    {"realloc of a freed block", realloc_freed, FOUND, ALL},
    {"write after free", write_freed, FOUND, ALL},
    {"write after free and others' malloc", write_freed_later, FOUND, ALL},
    {"read after free, small", read_freed, SAFE, SMALL},
    {"read after free, large", read_freed, FOUND, LARGE},
    {"malloc is zero", fresh_is_zero, SAFE, ALL},
    {"reuse at once", reuse, SAFE, ALL},
    {"write to 0 bytes", write_nothing, FOUND, ONE},
    {"read of 0 bytes", read_nothing, FOUND, ONE},
    {"read of 0 bytes after free", read_nothing_freed, FOUND, ONE},
    {"blocks of 0 bytes differ", nothings_differ, SAFE, ONE},
    {"code in a block", execute, FOUND, ALL},
    {"impossible sizes", too_large, SAFE, ONE},
    {"free_sized with another size", free_wrong_size, FOUND, ALL},
    {"free_aligned_sized with another alignment", free_wrong_align, FOUND, SMALL},
};

static int run(void (*deed)(void)) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(NOT_SAFE);
        for (int i = 0; i < 200; i++) hide(malloc(bytes < 4096 ? bytes : 16)); // not the first blocks of a heap
        deed();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) abort();
    return status;
}

static bool is_right(int status, enum end end) {
    bool by_fault = WIFSIGNALED(status) && (WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGSEGV);
    return end == FOUND ? by_fault : WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(void) {
    int failures = 0, tries = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            if ((kinds[k].sizes >> s & 1) == 0) continue;
            bytes = sizes[s];
            int status = run(kinds[k].deed);
            tries++;
            if (is_right(status, kinds[k].end)) continue;
            printf("%s, %zu bytes: status %x, expected: %s\n", kinds[k].name, bytes, (unsigned)status, end_names[kinds[k].end]);
            failures++;
        }
    printf("%d tries, %d not as expected\n", tries, failures);
    return failures > 0;
}
