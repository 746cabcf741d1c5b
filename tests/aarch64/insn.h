// What: decodes aarch64 instructions as far as stepping by breakpoints needs it: which instruction comes next, and
// whether this one may write memory.
#ifndef MB_TESTS_AARCH64_INSN_H
#define MB_TESTS_AARCH64_INSN_H

#include <stdbool.h>
#include <stdint.h>

enum { INSN_BYTES = 4, INSN_NEXT_MAX = 4 };

struct insn_state {
    uint64_t regs[31], pc, pstate;
};

// The address where the thread may be after the instruction at state->pc. It is a single one, computed from the
// registers and flags. A loop of exclusive loads and stores must not be interrupted, so it is stepped over as a whole.
// `*returns`: for a call, its return address; else 0.
unsigned insn_next(const struct insn_state *state, uint64_t next[INSN_NEXT_MAX], uint64_t *returns);

// False only for instructions that are known not to change memory visible to others: loads, arithmetic, branches, and
// stores to the thread's own stack.
bool insn_may_write(uint32_t word);

#endif
