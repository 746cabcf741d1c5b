// The message about a wrong pointer that the program has passed to free, realloc and their kin, as one line:
//
//   mbmalloc: double free: 0x7f2c40a31f40 (free, a block of 64 bytes)
//   mbmalloc: invalid free (interior pointer): 0x7f2c40a31f50 (free, 16 bytes into the block of 64 bytes at 0x7f2c40a31f40)
//   mbmalloc: sized free with wrong size: 0x7f2c40a31f40 (free_sized, 50 bytes given, a block of 112 bytes)
//   mbmalloc: double free: 0x7f2c40a31f40 (free, a block of 64 bytes, freed 3 blocks of its class ago, thread 4711)
//
// What: the kind of mistake, the address, and in parentheses the function that was called, what is known of the block,
// and, in a process of several threads, the thread. mbmalloc(3) lists the messages. The option on_error decides what
// follows: the process ends, or the call has no effect and the mistake is counted.
// Who: any thread; nothing allocates.
#ifndef MB_CORE_BASE_MISTAKE_H
#define MB_CORE_BASE_MISTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "platform/compiler.h"

struct mb_mistake {
    const char *what;    // the fault
    const char *called;  // the function, by its C name
    const void *address; // what the program passed
    const void *start;   // of the block that the address lies in; NULL: there is none
    size_t bytes;        // usable bytes of that block; without a start: of blocks that may come to lie there; 0: not known
    const size_t *given; // the size that the program named; NULL: none
    size_t given_align;  // the alignment that it named; 0: none
    const char *ago;     // the unit of freed_ago, after the number; NULL: it is not known when the block was freed
    uint64_t freed_ago;
    void (*more)(const void *context); // writes further lines behind the first; NULL: there are none
    const void *context;
};

enum mb_on_error { MB_ON_ERROR_ABORT, MB_ON_ERROR_COUNT, MB_ON_ERROR_LOG };

// What mb_mistake_meet does. Written at the start, read by any thread. MB_ON_ERROR_ABORT before that.
extern MB_HIDDEN enum mb_on_error mb_mistake_policy;
// Mistakes that the process has survived.
uint64_t mb_mistake_count(void);

// Instead of a name: a block that was freed twice by different threads shows when its memory is about to be used again.
#define MB_FREE_FOUND_LATER "free, found later"

// As the policy wants: writes the line to stderr and ends the process by SIGABRT; counts the mistake and comes back,
// silent or after the line.
void mb_mistake_meet(const struct mb_mistake *mistake);
// Writes the line of what ends the process in another way / ends it, whatever the policy: what cannot be survived /
// writes the line and goes on.
void mb_mistake_say(const struct mb_mistake *mistake);
_Noreturn void mb_mistake_end(const struct mb_mistake *mistake);
void mb_mistake_tell(const struct mb_mistake *mistake);

#endif
