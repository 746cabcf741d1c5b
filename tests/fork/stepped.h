// What: the process whose worker is stepped. Its main thread obeys the tracer: it starts a worker for a scenario, forks
// while the worker is stopped, and joins it. The child adopts what it inherited and checks it (adopt.h).
//
// Who: started by step.c, with the library preloaded; the main thread is never traced.
#ifndef MB_TESTS_FORK_STEPPED_H
#define MB_TESTS_FORK_STEPPED_H

// Executes commands until OP_QUIT (protocol.h). Returns the process's exit status.
int stepped_main(void);

#endif
