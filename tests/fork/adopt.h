// What: checks the heap in a forked child. The child allocates more blocks of every size than were free, so that a
// block that is still live would be handed out again; frees everything that it inherited; starts a thread; trims, and
// compares the counts.
//
// Who: the child's only thread, right after fork. It uses no stdio and no lock that the parent's threads may hold.
#ifndef MB_TESTS_FORK_ADOPT_H
#define MB_TESTS_FORK_ADOPT_H

#include <stdbool.h>
#include <stddef.h>

struct adopt_plan {
    size_t focus_bytes;   // the size that the stopped thread was handling: the child uses up several slabs of it
    bool start_thread;    // false after a raw clone: the C library does not know that it was forked
    bool check_leak;      // compare live bytes and anonymous memory at the end with the next two fields
    size_t base_bytes;    // live bytes when no test block was alive
    long base_anonymous;  // resident bytes of anonymous memory at that time (0: not compared)
    size_t in_flight_max; // bytes that the stopped thread may have been allocating or freeing
};

// The child's result, in memory that it shares with the tracer or parent.
struct adopt_report {
    char fault[120];        // empty: none
    long left_bytes;        // live bytes at the end, beyond base_bytes
    long grown_bytes;       // likewise of anonymous memory
    size_t inherited, used; // blocks
};

// Resident bytes of this process's anonymous memory, read from /proc without stdio; 0 if unknown.
long adopt_anonymous_bytes(void);

// Returns true if no fault was found.
bool adopt_and_check(const struct adopt_plan *plan, struct adopt_report *report);

#endif
