// What: the processor-specific part of stepping: the position of a stopped thread, and what the instruction there may
// do.
#ifndef MB_TESTS_FORK_INSN_H
#define MB_TESTS_FORK_INSN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { INSN_BYTES = 16 };

uint64_t insn_pointer(pid_t thread);

// Whether the instruction may change memory visible to others. False only for instructions that are known not to:
// loads, tests, jumps, arithmetic on registers, and stores to the thread's own stack. A child forked before such an
// instruction is the same as one forked after it.
bool insn_may_write(const uint8_t bytes[INSN_BYTES]);

#endif
