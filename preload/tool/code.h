// A file of code, as far as it tells which function an address is in: symbols with their lengths, and the unwind
// tables' function starts.
#ifndef MB_PRELOAD_TOOL_CODE_H
#define MB_PRELOAD_TOOL_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tool_code {
    const unsigned char *at; // the file; NULL: none
    size_t bytes;
};

// False: it cannot be read, or is no 64-bit ELF file of this machine's byte order. / Any that was opened, or not.
bool tool_code_open(const char *path, struct tool_code *out);
void tool_code_close(struct tool_code *code);

// What the file's addresses differ by from its offsets, in the executable segment that has the offset.
uint64_t tool_code_shift(const struct tool_code *code, uint64_t offset);

// Whether a symbol says that the address is in its function.
bool tool_code_has_symbol(const struct tool_code *code, uint64_t address);

// Where the function begins that has the address, by the unwind tables; the address itself: they do not say.
uint64_t tool_code_function(const struct tool_code *code, uint64_t address);

#endif
