// The three ways to make a child process with a copy of the parent's memory.
#ifndef MB_TESTS_FORK_WAYS_H
#define MB_TESTS_FORK_WAYS_H

#include <sys/types.h>

#include "tests/fork/protocol.h"

// Returns as fork does. Only WAY_FORK informs the C library; after the other ways the child must not start threads.
pid_t fork_by(enum way way);

#endif
