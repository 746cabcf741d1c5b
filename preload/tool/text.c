// Helpers of the `mbmalloc` command: reading files of /proc, printing sizes, finding the library.
#include "preload/tool/tool.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool tool_read(const char *path, char *out, size_t bytes) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t length = 0;
    ssize_t got;
    while (length < bytes - 1 && (got = read(fd, out + length, bytes - 1 - length)) > 0) length += (size_t)got;
    close(fd);
    out[length] = '\0';
    return true;
}

bool tool_read_of(int pid, const char *name, char *out, size_t bytes) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return tool_read(path, out, bytes);
}

bool tool_link_of(int pid, const char *name, char *out, size_t bytes) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    ssize_t length = readlink(path, out, bytes - 1);
    if (length < 0) return false;
    out[length] = '\0';
    return true;
}

const char *tool_size(uint64_t bytes) {
    static char text[8][24];
    static unsigned turn;
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    char *out = text[turn++ % 8];
    double value = (double)bytes;
    unsigned power = 0;
    while (value >= 1024 && power < 4) value /= 1024, power++;
    snprintf(out, sizeof text[0], power == 0 ? "%.0f %s" : "%.1f %s", value, units[power]);
    return out;
}

const char *tool_bold(void) { return isatty(1) ? "\033[1m" : ""; }
const char *tool_plain(void) { return isatty(1) ? "\033[0m" : ""; }

// --- the library -----------------------------------------------------------------------------------------------------

static bool is_file(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool tool_library(char *out, size_t bytes) {
    static const char *const places[] = {"%s/libmbmalloc.so", "%s/../lib/libmbmalloc.so", "%s/../lib64/libmbmalloc.so",
                                         "%s/../lib/x86_64-linux-gnu/libmbmalloc.so", "%s/../lib/aarch64-linux-gnu/libmbmalloc.so"};
    const char *named = getenv("MBMALLOC_LIBRARY");
    char self[PATH_MAX], real[PATH_MAX];
    if (named != NULL) {
        snprintf(out, bytes, "%s", named);
        return is_file(out);
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) return false;
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(out, bytes, places[i], self);
        if (!is_file(out)) continue;
        if (realpath(out, real) != NULL) snprintf(out, bytes, "%s", real);
        return true;
    }
    return false;
}
