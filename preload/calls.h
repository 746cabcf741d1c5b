// How copies of this library in one process find each other.
//
// What: a program that links the static library exports only names that its libc has too. So the copies ask each other by such
// a name, one that nobody else defines: __libc_mallopt answers a parameter of ours with a piece of the address of its copy's
// functions. Under any other allocator the answer lacks the tag.
#ifndef MB_PRELOAD_CALLS_H
#define MB_PRELOAD_CALLS_H

#include <stdbool.h>

#include "core/process/foreign.h"
#include "platform/compiler.h"

// The last digit is the version of struct mb_calls: copies that differ in it are strangers.
enum { MB_CALLS_QUESTION = 0x6d627631 };

// The answer to the question for piece 0, 1, 2.
int mb_calls_answer(int piece);

// By whoever owns the name, and our own.
int __libc_mallopt(int parameter, int value);
MB_HIDDEN int mb_self_libc_mallopt(int parameter, int value);

// Those of the copy that serves the process: ours, or an earlier copy's.
const struct mb_calls *mb_calls_serving(void);

#endif
