// mbmalloc prof: a heap profile of a running process.
//
// What: unless the process is sampling already, starts sampling for some seconds; then has it write the profile next to
// its monitor page, copies that file and removes it. The profile shows memory that was allocated during these seconds
// and is still live.
#include "preload/tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 10, USUAL_SECONDS = 30, USUAL_PERIOD = 512 << 10, PERIOD_MAX = 256 << 20 };

struct settings {
    int pid;
    double seconds;
    long period;
    const char *file;
};

// Parses a number with an optional suffix K or M.
static long read_bytes(const char *text, char **end) {
    long number = strtol(text, end, 10);
    long unit = **end == 'K' ? 1 << 10 : **end == 'M' ? 1 << 20 : 1;
    if (unit != 1) ++*end;
    return number > 0 && number <= PERIOD_MAX / unit ? number * unit : 0;
}

static bool read_settings(int argc, char **argv, struct settings *s) {
    *s = (struct settings){.seconds = USUAL_SECONDS, .period = USUAL_PERIOD};
    for (int i = 0; i < argc; i++) {
        bool more = i + 1 < argc;
        char *end = NULL;
        if (strcmp(argv[i], "--seconds") == 0 && more)
            s->seconds = strtod(argv[++i], &end);
        else if (strcmp(argv[i], "--period") == 0 && more)
            s->period = read_bytes(argv[++i], &end);
        else if (strcmp(argv[i], "-o") == 0 && more)
            s->file = argv[++i];
        else if (s->pid == 0 && tool_pid(argv[i]) != 0)
            s->pid = tool_pid(argv[i]);
        else
            return false;
        if (end != NULL && *end != '\0') return false;
    }
    return s->pid != 0 && s->seconds >= 0 && s->seconds < 1e6 && s->period > 0 && s->period <= PERIOD_MAX;
}

static void wait_for(double seconds) {
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static bool copy_bytes(int from, int to) {
    char bytes[1 << 16];
    ssize_t got;
    while ((got = read(from, bytes, sizeof bytes)) > 0) {
        for (ssize_t done = 0, part; done < got; done += part) {
            if ((part = write(to, bytes + done, (size_t)(got - done))) < 0) return false;
        }
    }
    return got == 0;
}

static int copy(const char *from, const char *to) {
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0) return tool_fail("%s: %s", from, strerror(errno));
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = out >= 0 && copy_bytes(in, out);
    int error = errno;
    close(in);
    good = (out < 0 || close(out) == 0) && good;
    return good ? TOOL_OK : tool_fail("%s: %s", to, strerror(error));
}

// Has the process write its profile, and copies the file; the process names it by a path in its own root directory.
static int fetch(const struct tool_page *page, const char *file) {
    char path[PATH_MAX], usual[64];
    snprintf(usual, sizeof usual, "heap.%d.pb.gz", page->pid);
    if (!tool_page_ask(page, MB_MONITOR_PROFILE_WRITE, 0, PATIENCE_S)) return TOOL_FAILED;
    if (page->page->number != 0) return tool_fail("process %d cannot write its profile: %s", page->pid, strerror((int)page->page->number));
    snprintf(path, sizeof path, "/proc/%d/root%.1000s", page->pid, page->page->text);
    int status = copy(path, file != NULL ? file : usual);
    unlink(path);
    if (status == TOOL_OK) puts(file != NULL ? file : usual);
    return status;
}

static int profile(const struct tool_page *page, const struct settings *s) {
    if (!tool_page_ask(page, MB_MONITOR_PROFILE_START, (uint64_t)s->period, PATIENCE_S)) return TOOL_FAILED;
    uint64_t began = page->page->number;
    if (began == EOPNOTSUPP)
        return tool_fail(
            "process %d cannot be profiled: profile=hardened or debug serves it (debug with leaks=N says what is live), or another malloc",
            page->pid);
    if (began > 1) return tool_fail("process %d cannot be profiled: %s", page->pid, strerror((int)began));
    if (!tool_page_ask(page, MB_MONITOR_PROFILE_MARK, 0, PATIENCE_S)) return TOOL_FAILED;
    wait_for(s->seconds);
    int status = fetch(page, s->file);
    if (began == 1 && !tool_page_ask(page, MB_MONITOR_PROFILE_STOP, 0, PATIENCE_S)) return TOOL_FAILED;
    return status;
}

int tool_prof(int argc, char **argv) {
    struct settings settings;
    struct tool_page page;
    if (!read_settings(argc, argv, &settings)) return tool_usage("prof");
    if (!tool_page_open(&page, settings.pid)) return TOOL_FAILED;
    int status = profile(&page, &settings);
    tool_page_close(&page);
    return status;
}
