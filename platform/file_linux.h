// Small files of the kernel (/proc, /sys) without stdio. Only the first 255 bytes are looked at.
#ifndef MB_PLATFORM_FILE_LINUX_H
#define MB_PLATFORM_FILE_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads the first `count` decimal numbers of the file, separated by anything. False when there are fewer, or no file.
// Any thread.
bool mb_file_numbers(const char *path, uint64_t *out, size_t count);

// Reads the beginning of the file, terminated. False when it cannot be read. Any thread.
bool mb_file_text(const char *path, char *out, size_t bytes);

// Whether the text is in the file. Any thread.
bool mb_file_contains(const char *path, const char *text);

#endif
