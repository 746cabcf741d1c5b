// What: implements ways.h.
#include "tests/fork/ways.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t raw_clone(void) { return (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L); }

pid_t fork_by(enum way way) {
    if (way == WAY_FORK) return fork();
    return way == WAY_UNDERSCORE_FORK ? _Fork() : raw_clone();
}
