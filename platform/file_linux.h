// Reads small files of the kernel (/proc, /sys) by system calls alone. Only the first 255 bytes are read. Any thread.
#ifndef MB_PLATFORM_FILE_LINUX_H
#define MB_PLATFORM_FILE_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads the first `count` decimal numbers of the file into `out`; what stands between them is skipped. False: there are
// fewer, or the file cannot be read.
bool mb_file_numbers(const char *path, uint64_t *out, size_t count);

// Reads the beginning of the file, at most `bytes` - 1 of it, as a string. False: it cannot be read.
bool mb_file_text(const char *path, char *out, size_t bytes);

// Whether the file can be read and contains the text.
bool mb_file_contains(const char *path, const char *text);

#endif
