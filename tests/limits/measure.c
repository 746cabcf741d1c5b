// Implements measure.h: what the kernel says about this process.
#include "tests/limits/measure.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

_Noreturn void check_failed(const char *file, int line, const char *what, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fflush(stdout);
    dprintf(2, "%s:%d: failed: %s: ", file, line, what);
    vdprintf(2, format, args);
    dprintf(2, "\n");
    va_end(args);
    _exit(1);
}

_Noreturn void skip_test(const char *format, ...) {
    va_list args;
    va_start(args, format);
    dprintf(1, "SKIP: ");
    vdprintf(1, format, args);
    dprintf(1, "\n");
    va_end(args);
    _exit(SKIP_CODE);
}

// Reads at most size - 1 bytes of a small file; the length, 0 on failure. Always terminated.
static size_t slurp(const char *path, char *out, size_t size) {
    size_t have = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got;
        while (have < size - 1 && (got = read(fd, out + have, size - 1 - have)) > 0) have += (size_t)got;
        close(fd);
    }
    out[have] = 0;
    return have;
}

size_t measure_number_in(const char *path, size_t missing) {
    char text[64];
    return slurp(path, text, sizeof text) ? strtoull(text, NULL, 10) : missing;
}

// Field `index` (0 = size, 1 = resident) of statm, in bytes.
static size_t statm_bytes(int index) {
    char text[256];
    char *at = text;
    size_t pages = 0;
    slurp("/proc/self/statm", text, sizeof text);
    for (int i = 0; i <= index; i++) pages = strtoull(at, &at, 10);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

size_t measure_rss_bytes(void) {
    char text[2048];
    slurp("/proc/self/smaps_rollup", text, sizeof text);
    const char *rss = strstr(text, "\nRss:");
    return rss ? strtoull(rss + 5, NULL, 10) * KIB : statm_bytes(1);
}

size_t measure_vm_bytes(void) { return statm_bytes(0); }

struct line_reader {
    int fd;
    size_t have, at;
    char buffer[4096];
};

static bool next_byte(struct line_reader *r, char *out) {
    if (r->at == r->have) {
        ssize_t got = read(r->fd, r->buffer, sizeof r->buffer);
        if (got <= 0) return false;
        r->have = (size_t)got;
        r->at = 0;
    }
    *out = r->buffer[r->at++];
    return true;
}

// One line without its newline, cut to size - 1 bytes.
static bool next_line(struct line_reader *r, char *out, size_t size) {
    size_t length = 0;
    char c;
    while (next_byte(r, &c)) {
        if (c == '\n') {
            out[length] = 0;
            return true;
        }
        if (length < size - 1) out[length++] = c;
    }
    return false;
}

size_t measure_maps(void) {
    struct line_reader r = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    char line[128];
    size_t lines = 0;
    while (next_line(&r, line, sizeof line)) lines++;
    close(r.fd);
    return lines;
}

size_t measure_charge_bytes(void) {
    struct line_reader r = {.fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC)};
    char line[256];
    size_t size = 0, sum = 0;
    while (next_line(&r, line, sizeof line)) {
        if (strncmp(line, "Size:", 5) == 0) size = strtoull(line + 5, NULL, 10) * KIB;
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " ac")) sum += size;
    }
    close(r.fd);
    return sum;
}

uint64_t measure_minor_faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_minflt;
}

static uint64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t measure_now_ms(void) { return clock_ns(CLOCK_MONOTONIC) / 1000000u; }
uint64_t measure_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

void measure_sleep_ms(unsigned ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0) {
    }
}

size_t measure_wait_rss(size_t bytes, unsigned ms) {
    uint64_t end = measure_now_ms() + ms;
    size_t rss = measure_rss_bytes();
    while (rss > bytes && measure_now_ms() < end) {
        measure_sleep_ms(20);
        rss = measure_rss_bytes();
    }
    return rss;
}

bool measure_under_mbmalloc(void) {
    Dl_info info = {0};
    void *entry = dlsym(RTLD_DEFAULT, "malloc");
    bool ours = entry && dladdr(entry, &info) && info.dli_fname && strstr(info.dli_fname, "libmbmalloc");
    const char *preload = getenv("LD_PRELOAD");
    CHECK(ours || !preload || !strstr(preload, "libmbmalloc"), "LD_PRELOAD=%s had no effect", preload);
    return ours;
}
