// What: stops a thread before each instruction that it executes in a range of code, without a debugger (qemu-user has
// no ptrace). The next instruction (insn.h tells which) is replaced by a breakpoint; its SIGTRAP handler restores the
// instruction. When the thread leaves the range, breakpoints wait for it at its return address and at the entries of
// the range.
//
// Who: one thread is stepped at a time, from step_begin to step_end. Other threads that hit a breakpoint wait until it
// is removed.
// Invariant: no breakpoint is set while `stopped` runs, so a child forked by it has the original code.
#ifndef MB_TESTS_AARCH64_STEP_H
#define MB_TESTS_AARCH64_STEP_H

#include <stdbool.h>
#include <stdint.h>

enum { STEP_ENTRIES = 9 };

// Call it once. Makes the code writable. `stopped` is called on the stepped thread, in a signal handler, with the
// address of the instruction executed before (0: none, or outside the range) and of the next one.
void step_prepare(uint64_t from, uint64_t to, const uint64_t entries[STEP_ENTRIES], void (*stopped)(uint64_t before, uint64_t at));

void step_begin(void); // called by the thread to be stepped
void step_end(void);   // called by that thread, or by another one once it has ended

#endif
