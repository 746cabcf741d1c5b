// What: the paths of malloc and free in which a worker is stopped. Each scenario prepares a state (setup, which runs
// freely) and takes one path (body, which is stepped instruction by instruction).
//
// Who: setup and body run on the worker (exceptions: enum scenario_kind); scenario_prepare_main and scenario_clean run
// on the main thread, before the worker starts and after it has ended. The peer is another thread, which sleeps unless
// a setup gives it something to do.
#ifndef MB_TESTS_FORK_SCENARIO_H
#define MB_TESTS_FORK_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

enum scenario_kind {
    SCENARIO_BODY,     // the body is stepped
    SCENARIO_EXIT,     // what the thread does after its function has returned is stepped
    SCENARIO_IN_CHILD, // setup runs on the peer, then the process forks; the body is stepped in the child
    SCENARIO_HELPER,   // the allocator's own background thread is stepped after the setup
};

struct scenario {
    const char *name;
    void (*setup)(void);
    void (*body)(void);
    size_t focus_bytes;     // the size that the child uses up (adopt.h)
    size_t in_flight_bytes; // what the worker may be allocating or freeing when it is stopped, besides some small blocks
    enum scenario_kind kind;
};
extern const struct scenario scenarios[];
extern const int scenario_count;

void scenario_start(void); // once
void scenario_setup_by_peer(const struct scenario *s);
int scenario_peer_id(void); // thread id
void scenario_prepare_main(void);
void scenario_clean(void);

#endif
