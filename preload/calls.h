// How several copies of this library in one process find each other, so that only the first one serves.
//
// What: a program that links the static library exports only names that its C library has too, so a copy has to ask by
// such a name. It calls __libc_mallopt, which nobody else defines, with a parameter of ours; another copy answers with
// a tag and a piece of the address of its struct mb_calls. Without the tag it is another allocator.
// Who: any thread.
#ifndef MB_PRELOAD_CALLS_H
#define MB_PRELOAD_CALLS_H

#include <stdbool.h>

#include "core/process/foreign.h"
#include "platform/compiler.h"

// The parameter of the question. Its last digit is the version of struct mb_calls; copies of different versions do not
// know each other.
enum { MB_CALLS_QUESTION = 0x6d627631 };

// Our answer: piece 0, 1 or 2 (24 bits each) of the address, and the tag above it.
int mb_calls_answer(int piece);

// The definition that the process uses, and our own.
int __libc_mallopt(int parameter, int value);
MB_HIDDEN int mb_self_libc_mallopt(int parameter, int value);

// The functions of the copy that serves the process: ours, or those of a copy that was loaded before us.
const struct mb_calls *mb_calls_serving(void);

#endif
