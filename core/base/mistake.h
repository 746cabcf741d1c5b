// A mistake of the program with a pointer, told in one line:
//
//   mbmalloc: double free: 0x7f2c40a31f40 (free, a block of 64 bytes)
//   mbmalloc: invalid free (interior pointer): 0x7f2c40a31f50 (free, 16 bytes into the block of 64 bytes at 0x7f2c40a31f40)
//   mbmalloc: sized free with wrong size: 0x7f2c40a31f40 (free_sized, 50 bytes given, a block of 112 bytes)
//
// What: the fault, the address, and in parentheses the function that was called and what is known of the block. The manual page
// mbmalloc(3) lists the faults. Who: any thread; nothing allocates.
#ifndef MB_CORE_BASE_MISTAKE_H
#define MB_CORE_BASE_MISTAKE_H

#include <stddef.h>

#include "platform/compiler.h"

struct mb_mistake {
    const char *what;    // the fault
    const char *called;  // the function, by its C name
    const void *address; // what the program passed
    const void *start;   // of the block that the address lies in; NULL: there is none
    size_t bytes;        // usable bytes of that block; without a start: of blocks that may come to lie there; 0: not known
    const size_t *given; // the size that the program named; NULL: none
    size_t given_align;  // the alignment that it named; 0: none
};

// Instead of a name: a block that was freed twice by different threads shows when its memory is about to be used again.
#define MB_FREE_FOUND_LATER "free, found later"

// Writes the line to stderr and ends the process by SIGABRT / goes on.
_Noreturn void mb_mistake_end(const struct mb_mistake *mistake);
void mb_mistake_tell(const struct mb_mistake *mistake);

#endif
