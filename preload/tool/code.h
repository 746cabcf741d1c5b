// Tells which function of an executable or library contains an address, from its symbol table (with the symbols'
// lengths) and from the function starts in its unwind tables.
#ifndef MB_PRELOAD_TOOL_CODE_H
#define MB_PRELOAD_TOOL_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tool_code {
    const unsigned char *at; // the mapped file; NULL if it could not be opened
    size_t bytes;
};

// False: the file cannot be read, or is not a 64-bit ELF file of this machine's byte order. tool_code_close accepts the
// result in either case.
bool tool_code_open(const char *path, struct tool_code *out);
void tool_code_close(struct tool_code *code);

// The difference between address and file offset in the executable segment that contains the offset.
uint64_t tool_code_shift(const struct tool_code *code, uint64_t offset);

// Whether the address lies inside a function that has a symbol.
bool tool_code_has_symbol(const struct tool_code *code, uint64_t address);

// The start of the function that contains the address, from the unwind tables; the address itself if they do not cover
// it.
uint64_t tool_code_function(const struct tool_code *code, uint64_t address);

#endif
