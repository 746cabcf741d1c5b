// What: the processor's part of stepping: where a stopped thread is, and what the instruction there may do.
#ifndef MB_TESTS_FORK_INSN_H
#define MB_TESTS_FORK_INSN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { INSN_BYTES = 16 };

uint64_t insn_pointer(pid_t thread);

// Whether the instruction may change memory that others see. False only for those that are known not to: loads, tests,
// jumps, arithmetic on registers, and stores to the thread's own stack. A child forked before and after such a one is
// the same.
bool insn_may_write(const uint8_t bytes[INSN_BYTES]);

#endif
