// What: how many bytes of a range are in huge pages, summed up from /proc/self/smaps, which is read line by line.
// Who: any thread; no state, 1 KiB of stack.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // O_CLOEXEC under -std=c11
#endif
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "platform/bits.h"
#include "platform/os.h"
#include "platform/syscall_linux.h"

struct reader {
    int fd;
    size_t filled, next;
    char buffer[768], line[128];
};

static bool next_byte(struct reader *reader, char *out) {
    if (reader->next == reader->filled) {
        long got = mb_syscall3(__NR_read, reader->fd, mb_arg(reader->buffer), sizeof reader->buffer);
        if (got <= 0) return false;
        reader->filled = (size_t)got;
        reader->next = 0;
    }
    *out = reader->buffer[reader->next++];
    return true;
}

// Reads the next line. The rest of a line that is longer than the buffer (a file name) is dropped.
static bool next_line(struct reader *reader) {
    size_t length = 0;
    char byte;
    while (next_byte(reader, &byte) && byte != '\n') {
        if (length < sizeof reader->line - 1) reader->line[length++] = byte;
    }
    reader->line[length] = 0;
    return length > 0;
}

static const char *parse(const char *text, unsigned base, uint64_t *out) {
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    for (const char *digit; *text != 0 && (digit = memchr(digits, *text, base)) != NULL; text++)
        value = value * base + (uint64_t)(digit - digits);
    *out = value;
    return text;
}

// Whether the line is the first of a mapping; *inside: how many bytes of the mapping lie in [p, p + bytes).
static bool begins_mapping(const char *line, uintptr_t p, size_t bytes, size_t *inside) {
    uint64_t first, last;
    const char *rest = parse(line, 16, &first);
    if (rest == line || *rest != '-' || *parse(rest + 1, 16, &last) != ' ') return false;
    size_t from = mb_max((size_t)first, p), to = mb_min((size_t)last, p + bytes);
    *inside = from < to ? to - from : 0;
    return true;
}

static uint64_t huge_kib(const char *line) {
    static const char *const names[] = {"AnonHugePages:", "Private_Hugetlb:"};
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(line, names[i], length) != 0) continue;
        uint64_t kib;
        parse(line + length + strspn(line + length, " "), 10, &kib);
        return kib;
    }
    return 0;
}

long mb_os_huge_resident_bytes(const void *p, size_t bytes) {
    struct reader reader = {.filled = 0};
    size_t inside = 0, sum = 0;
    reader.fd = (int)mb_syscall4(__NR_openat, AT_FDCWD, mb_arg("/proc/self/smaps"), O_RDONLY | O_CLOEXEC, 0);
    if (reader.fd < 0) return reader.fd;
    while (next_line(&reader)) {
        if (!begins_mapping(reader.line, (uintptr_t)p, bytes, &inside) && inside > 0)
            sum += mb_min(inside, (size_t)huge_kib(reader.line) << 10);
    }
    mb_syscall1(__NR_close, reader.fd);
    return (long)sum;
}
