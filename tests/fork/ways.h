// The three ways to make a child that has the parent's memory.
#ifndef MB_TESTS_FORK_WAYS_H
#define MB_TESTS_FORK_WAYS_H

#include <sys/types.h>

#include "tests/fork/protocol.h"

// As fork. After anything but WAY_FORK, libc has not been told: the child must not start threads.
pid_t fork_by(enum way way);

#endif
