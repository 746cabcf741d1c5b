// What: a thread that is stopped before each instruction that it executes in a range of code, without a debugger's help
// (qemu-user has no ptrace): the next instruction is replaced by a breakpoint, whose SIGTRAP puts it back (insn.h says
// where it goes on). Where the thread leaves the range, it is met again at the places that it returns to, or at one of
// the entries.
//
// Who: one thread steps at a time, from step_begin to step_end. Others that come to a breakpoint meanwhile wait until
// it is gone.
// Invariant: while `stopped` runs there is no breakpoint, so a child that is forked then has the code as it was.
#ifndef MB_TESTS_AARCH64_STEP_H
#define MB_TESTS_AARCH64_STEP_H

#include <stdbool.h>
#include <stdint.h>

enum { STEP_ENTRIES = 9 };

// Once. The code is made writable; `stopped` runs on the stepping thread, in a handler of signals, with the address of
// the instruction that was executed before (0: none, or one outside) and that of the next.
void step_prepare(uint64_t from, uint64_t to, const uint64_t entries[STEP_ENTRIES], void (*stopped)(uint64_t before, uint64_t at));

void step_begin(void); // by the thread to be stepped
void step_end(void);   // by it, or by another once it has ended

#endif
