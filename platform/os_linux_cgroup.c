// The memory limit of the process's control group (version 1 or 2): the smallest limit of the group and its ancestors.
//
// What: reads the group's path from /proc/self/cgroup and the limits below /sys/fs/cgroup. In a container that sees
// only its own part of the hierarchy the path does not exist there, and the limit at the root that it sees counts.
// Who: any thread; only called where an option asks for it.
#include <stdint.h>
#include <string.h>

#include "platform/bits.h"
#include "platform/file_linux.h"
#include "platform/os.h"

enum { PATH_BYTES = 1024, TEXT_BYTES = 4096 };

static bool join(char out[PATH_BYTES], const char *root, const char *path, size_t path_length, const char *file) {
    size_t root_length = strlen(root), file_length = strlen(file);
    if (root_length + path_length + file_length >= PATH_BYTES) return false;
    // NOLINTNEXTLINE(bugprone-not-null-terminated-result): the last piece brings the end
    memcpy(out, root, root_length);
    memcpy(out + root_length, path, path_length);
    memcpy(out + root_length + path_length, file, file_length + 1);
    return true;
}

// The limit in bytes. UINT64_MAX: the file says "max" or nearly 2^63 (what version 1 writes for none), or is missing.
static uint64_t limit_in(const char *root, const char *path, size_t length, const char *file) {
    char name[PATH_BYTES];
    uint64_t limit;
    return join(name, root, path, length, file) && mb_file_numbers(name, &limit, 1) ? limit : UINT64_MAX;
}

static uint64_t least_limit(const char *root, const char *path, size_t length, const char *file) {
    uint64_t least = limit_in(root, path, 0, file);
    for (; length > 0; length--) {
        if (length > 1 && path[length] != '\0' && path[length] != '/') continue;
        if (path[length - 1] == '/') continue;
        least = mb_min(least, limit_in(root, path, length, file));
    }
    return least;
}

// The path in the line of /proc/self/cgroup whose second field is `controllers`: ":memory:" (version 1) or "::"
// (version 2).
static const char *path_after(const char *text, const char *controllers, size_t *length) {
    const char *at = strstr(text, controllers);
    if (at == NULL) return NULL;
    at += strlen(controllers);
    *length = strcspn(at, "\n");
    return at;
}

uint64_t mb_os_cgroup_limit(void) {
    char text[TEXT_BYTES];
    size_t length;
    uint64_t least = UINT64_MAX;
    if (!mb_file_text("/proc/self/cgroup", text, sizeof text)) text[0] = '\0';
    const char *path = path_after(text, "::", &length);
    char *end = path != NULL ? (char *)(uintptr_t)path + length : NULL;
    if (path != NULL) {
        char kept = *end;
        *end = '\0';
        least = least_limit("/sys/fs/cgroup", path, length, "/memory.max");
        *end = kept;
    }
    path = path_after(text, ":memory:", &length);
    if (path != NULL) {
        ((char *)(uintptr_t)path)[length] = '\0';
        least = mb_min(least, least_limit("/sys/fs/cgroup/memory", path, length, "/memory.limit_in_bytes"));
    }
    return least > UINT64_MAX >> 2 ? UINT64_MAX : least;
}
