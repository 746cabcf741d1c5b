// The workload of a process whose system calls fail: every kind of request, from several threads; then everything is
// freed.
// Who: called once in a fresh process. Invariant: a refused request is accepted only if a system call was made to fail.
#ifndef MB_TESTS_LIMITS_INJECT_WORKLOAD_H
#define MB_TESTS_LIMITS_INJECT_WORKLOAD_H

// Runs with the failures that are armed; verifies every block's contents and that calloc returns zeros; frees
// everything.
void inject_workload(void);

// Checks, with no failures armed, that every size class works in this thread and in new ones.
void inject_all_well(void);

#endif
