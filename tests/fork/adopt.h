// What: what a forked child does with the heap it inherited: it uses up more of every size than there was, in case
// something is handed out that is still alive; gives back all it inherited; starts a thread; trims and counts.
//
// Who: the child's only thread, right after fork. No stdio, no lock that the parent's threads may hold.
#ifndef MB_TESTS_FORK_ADOPT_H
#define MB_TESTS_FORK_ADOPT_H

#include <stdbool.h>
#include <stddef.h>

struct adopt_plan {
    size_t focus_bytes;   // the size that the stopped thread was busy with: slabs' worth of it are used up
    bool start_thread;    // not after a raw clone: libc does not know that it has been forked
    bool check_leak;      // at the end live bytes and anonymous memory must be near these two
    size_t base_bytes;    // live bytes when no test block was alive
    long base_anonymous;  // resident bytes of no file then (0: not compared)
    size_t in_flight_max; // what the stopped thread may have held in its hands
};

// Where the child writes what it found; shared with the tracer or parent.
struct adopt_report {
    char fault[120];        // empty: none
    long left_bytes;        // live bytes at the end, beyond base_bytes
    long grown_bytes;       // likewise of anonymous memory
    size_t inherited, used; // blocks
};

// The resident bytes of this process that belong to no file, from /proc without stdio; 0 where it does not say.
long adopt_anonymous_bytes(void);

// Returns true when nothing is wrong.
bool adopt_and_check(const struct adopt_plan *plan, struct adopt_report *report);

#endif
