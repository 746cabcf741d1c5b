// Sends requests to a running process through its monitor page, a file in /run/user or /dev/shm that both processes map
// (core/told/monitor_page.h).
#include "preload/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAIT = 0, WAKE = 1 }; // operations of futex(2); not every C library comes with the kernel's headers

enum { OF_ANOTHER_VERSION = -2 }; // the file has another length: another version of the library

// The process id inside the process's own pid namespace, and its effective user id.
static bool find_names(int pid, long *inner, long *user) {
    char text[8192];
    if (!tool_read_of(pid, "status", text, sizeof text)) return false;
    const char *line = strstr(text, "\nUid:");
    if (line == NULL || sscanf(line, "\nUid:%*d%ld", user) != 1) return false;
    *inner = pid;
    line = strstr(text, "\nNSpid:");
    if (line == NULL) return true;
    char *at = (char *)(uintptr_t)line + sizeof "\nNSpid:" - 1, *end;
    for (long n = strtol(at, &end, 10); end != at; n = strtol(at, &end, 10)) {
        *inner = n;
        at = end;
        if (*at == '\n') break;
    }
    return true;
}

static int open_page_of(int pid, long inner, long user) {
    static const char *const places[] = {"/proc/%d/root/run/user/%ld/mbmalloc-%ld", "/proc/%d/root/dev/shm/mbmalloc-%ld-%ld"};
    for (size_t i = 0; i < 2; i++) {
        char path[200];
        snprintf(path, sizeof path, places[i], pid, user, inner);
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        struct stat status;
        if (fd < 0) continue;
        // a file with another owner was not made by this process
        bool is_its_own = fstat(fd, &status) == 0 && (long)status.st_uid == user;
        if (is_its_own && status.st_size == sizeof(struct mb_monitor_shared)) return fd;
        close(fd);
        if (is_its_own) return OF_ANOTHER_VERSION;
    }
    return -1;
}

// A server may start as root, create its page, and then change its user: so root's page is tried too.
static int open_page(int pid) {
    long inner = 0, user = 0;
    if (!find_names(pid, &inner, &user)) return -1;
    int fd = open_page_of(pid, inner, user);
    return fd == -1 && user != 0 && geteuid() == 0 ? open_page_of(pid, inner, 0) : fd;
}

static bool is_served(int pid) {
    char maps[1 << 20];
    return tool_read_of(pid, "maps", maps, sizeof maps) && strstr(maps, "libmbmalloc") != NULL;
}

// Removes the page that a killed process has left behind.
static void remove_left(int pid) {
    static const char *const places[] = {"/run/user/%u/mbmalloc-%d", "/dev/shm/mbmalloc-%u-%d"};
    for (size_t i = 0; i < 2; i++) {
        char path[100];
        snprintf(path, sizeof path, places[i], geteuid(), pid);
        unlink(path);
    }
}

static void say_why(int pid) {
    char comm[100];
    if (!tool_read_of(pid, "comm", comm, sizeof comm)) {
        remove_left(pid);
        tool_fail("there is no process %d that can be seen", pid);
    } else if (!is_served(pid)) {
        tool_fail("process %d does not run under libmbmalloc.so (or its maps cannot be read): see mbmalloc doctor %d", pid, pid);
    } else {
        tool_fail(
            "process %d was not asked beforehand: start it with MBMALLOC_OPTIONS=monitor=1, or by mbmalloc run --monitor, as the same user",
            pid);
    }
}

bool tool_page_open(struct tool_page *out, int pid) {
    out->pid = pid;
    out->fd = open_page(pid);
    if (out->fd < 0) {
        if (out->fd == OF_ANOTHER_VERSION)
            tool_fail("process %d runs another version of the library: ask it by the mbmalloc command of that version, or start it again",
                      pid);
        else
            say_why(pid);
        return false;
    }
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0) {
        tool_fail("another mbmalloc command asks process %d just now", pid);
        close(out->fd);
        return false;
    }
    void *at = mmap(NULL, sizeof *out->page, PROT_READ | PROT_WRITE, MAP_SHARED, out->fd, 0);
    out->page = at;
    bool good = at != MAP_FAILED && memcmp(out->page->magic, MB_MONITOR_MAGIC, sizeof out->page->magic) == 0;
    if (good && out->page->version == MB_MONITOR_VERSION) return true;
    tool_fail("process %d has another version of the library (%s)", pid, good ? out->page->library : "its page is not complete");
    tool_page_close(out);
    return false;
}

void tool_page_close(struct tool_page *page) {
    if ((void *)page->page != MAP_FAILED) munmap(page->page, sizeof *page->page);
    close(page->fd);
}

static void wait_on(_Atomic uint32_t *word, uint32_t seen) {
    struct timespec limit = {0, 100000000};
    syscall(SYS_futex, word, WAIT, seen, &limit, NULL, 0);
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// A busy process may need a while to answer; on a terminal, the user is told that the command is waiting.
static void say_waits(const struct tool_page *page, unsigned seconds) {
    if (isatty(STDERR_FILENO)) fprintf(stderr, "mbmalloc: waits for process %d, at most %u s\n", page->pid, seconds);
}

bool tool_page_ask(const struct tool_page *page, enum mb_monitor_command command, uint64_t argument, unsigned seconds) {
    struct mb_monitor_shared *p = page->page;
    uint64_t end = now_ms() + seconds * UINT64_C(1000), silent_to = now_ms() + 2000;
    p->command = command;
    p->argument = argument;
    uint32_t request = atomic_fetch_add(&p->request, 1) + 1;
    syscall(SYS_futex, &p->request, WAKE, 1 << 30, NULL, NULL, 0);
    for (;;) {
        uint32_t answered = atomic_load(&p->answered);
        if (answered == request) return true;
        if (kill(page->pid, 0) != 0 && errno == ESRCH) {
            tool_fail("process %d has ended", page->pid);
            return false;
        }
        if (now_ms() > end) break;
        if (now_ms() > silent_to) say_waits(page, seconds), silent_to = end;
        wait_on(&p->answered, answered);
    }
    if (atomic_load(&p->has_thread) != 0)
        tool_fail("process %d does not answer: it may be stopped", page->pid);
    else
        tool_fail("process %d answers when it next calls malloc (a forked child has no thread for it); it has not for %u s", page->pid,
                  seconds);
    return false;
}
