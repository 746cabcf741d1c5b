// What every process test shares: EXPECT, a deadline, a check of which allocator serves, the resident set, small random
// numbers.
//
// Who: any thread, also a forked child; nothing here allocates. The tests also run under plain glibc (no preload);
// checks of what only mbmalloc promises depend on under_mbmalloc(). A hang ends by SIGALRM, which ctest reports.
#ifndef MB_TESTS_PROCESS_EXPECT_H
#define MB_TESTS_PROCESS_EXPECT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEST_SKIPPED = 77 };

static inline void say(const char *text) {
    ssize_t written = write(2, text, strlen(text));
    (void)written;
}

__attribute__((noreturn, cold, noinline, unused)) static void expect_failed(const char *file, int line, const char *what) {
    char text[400];
    snprintf(text, sizeof text, "%s:%d: expected %s (pid %d)\n", file, line, what, (int)getpid());
    say(text);
    _exit(1);
}

#define EXPECT(cond) ((cond) ? (void)0 : expect_failed(__FILE__, __LINE__, #cond))

// Makes the compiler assume that p escapes, so that it does not remove pairs of malloc and free.
static inline void *keep(void *p) {
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

// Returns a number whose value the compiler cannot know (some tests request absurd sizes on purpose).
static inline size_t opaque(size_t x) {
    __asm__ volatile("" : "+r"(x));
    return x;
}

// False under musl, and in a static program.
extern const char *gnu_get_libc_version(void) __attribute__((weak));
static inline bool libc_is_glibc(void) { return gnu_get_libc_version != NULL; }

// Whether the function at `address` comes from an object whose name starts with libmbmalloc.
static inline bool from_mbmalloc(const void *address) {
    Dl_info info;
    if (address == NULL || dladdr(address, &info) == 0 || info.dli_fname == NULL) return false;
    const char *slash = strrchr(info.dli_fname, '/');
    return strncmp(slash == NULL ? info.dli_fname : slash + 1, "libmbmalloc", 11) == 0;
}

static inline bool under_mbmalloc(void) { return from_mbmalloc(dlsym(RTLD_DEFAULT, "malloc")); }

static inline bool long_run(void) {
    const char *value = getenv("MB_TEST_LONG");
    return value != NULL && strcmp(value, "1") == 0;
}

// Raises SIGALRM after five times so many seconds, which are many already: who is not stuck may have to wait long for
// a busy processor. Later if the machine is emulated (MB_TEST_SLOWER: a factor).
static inline void deadline(unsigned seconds) {
    const char *slower = getenv("MB_TEST_SLOWER");
    alarm(5 * seconds * (slower == NULL ? 1 : (unsigned)strtoul(slower, NULL, 10)));
}

// The first line of every main: sets a deadline, and fails if the library that was requested is not loaded.
static inline void test_begin(unsigned seconds) {
    deadline(seconds);
    const char *preload = getenv("LD_PRELOAD");
    if (preload != NULL && strstr(preload, "libmbmalloc") != NULL) EXPECT(under_mbmalloc());
}

// Resident bytes, exact (statm may lag by some pages for every CPU). -1: no /proc.
static inline long rss_bytes(void) {
    char text[1024];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got < 0 ? 0 : got] = 0;
    const char *line = strstr(text, "\nRss:");
    return line == NULL ? -1 : strtol(line + 5, NULL, 10) * 1024;
}

// How much more memory than usual a mode may hold that delays the reuse of freed blocks: MB_TEST_SLACK_KIB
// (tests/hardened.cmake).
static inline long slack_bytes(void) {
    const char *text = getenv("MB_TEST_SLACK_KIB");
    return text == NULL ? 0 : strtol(text, NULL, 10) * 1024;
}

// Prints how much the resident set has grown since `before`; fails if that is more than `limit` bytes.
static inline void expect_growth_below(long before, long limit, const char *what) {
    long now = rss_bytes();
    printf("%s: resident %ld KiB -> %ld KiB\n", what, before / 1024, now / 1024);
    fflush(stdout);
    EXPECT(before > 0 && now - before < limit + slack_bytes());
}

static inline uint64_t random_next(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static inline void sleep_ms(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

static inline pthread_t thread_start(void *(*body)(void *), void *arg) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, body, arg) == 0);
    return thread;
}

static inline void thread_join(pthread_t thread) { EXPECT(pthread_join(thread, NULL) == 0); }

// Waits for a child that must end by itself with status 0.
static inline void expect_child_ok(pid_t child) {
    int status = 0;
    EXPECT(child > 0);
    EXPECT(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        char text[100];
        snprintf(text, sizeof text, "child %d ended by signal %d\n", (int)child, WTERMSIG(status));
        say(text);
    }
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// Runs this program again with one argument; returns the wait status. The child inherits the environment.
static inline int run_self(const char *argument) {
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "self", argument, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    return status;
}

static inline void expect_self_ok(const char *argument) {
    int status = run_self(argument);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    char text[200];
    snprintf(text, sizeof text, "variant %s: wait status 0x%x\n", argument, (unsigned)status);
    say(text);
    _exit(1);
}

#endif
