// What a faulted process does: every kind of request, from several threads, then everything is freed.
// Who: called once in a fresh process. Invariant: a refusal is only accepted where a call was made to fail.
#ifndef MB_TESTS_LIMITS_INJECT_WORKLOAD_H
#define MB_TESTS_LIMITS_INJECT_WORKLOAD_H

// Runs with whatever faults are armed; verifies every block's contents and that calloc is zero; frees everything.
void inject_workload(void);

// With nothing armed: every size class works, in this thread and in new ones.
void inject_all_well(void);

#endif
