// What: aarch64's instructions as far as stepping through them by breakpoints needs: which comes next, and whether one
// may write memory.
#ifndef MB_TESTS_AARCH64_INSN_H
#define MB_TESTS_AARCH64_INSN_H

#include <stdbool.h>
#include <stdint.h>

enum { INSN_BYTES = 4, INSN_NEXT_MAX = 4 };

struct insn_state {
    uint64_t regs[31], pc, pstate;
};

// Where the thread may be after the instruction at state->pc: one place, as registers and flags say, but for a loop of
// exclusive loads and stores, which must not be stopped in and is stepped over as a whole. `*returns`: for a call,
// where it comes back to; else 0.
unsigned insn_next(const struct insn_state *state, uint64_t next[INSN_NEXT_MAX], uint64_t *returns);

// False only for those that are known not to change memory that others see: loads, arithmetic, branches, and stores to
// the thread's own stack.
bool insn_may_write(uint32_t word);

#endif
