// What: the paths of malloc and free that a worker is stopped in. Each scenario prepares a state (setup, runs freely) and
// walks one path (body, stepped instruction by instruction).
//
// Who: setup and body run on the worker; scenario_prepare_main and scenario_clean on the main thread, before the worker
// starts and after it has ended. The peer is one more thread, which sleeps except when a setup asks something of it.
#ifndef MB_TESTS_FORK_SCENARIO_H
#define MB_TESTS_FORK_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

struct scenario {
    const char *name;
    void (*setup)(void);
    void (*body)(void);
    size_t focus_bytes;     // what the child uses up
    size_t in_flight_bytes; // what the worker may hold in its hands, beyond some small blocks
    bool until_exit;        // the body is what the thread does after its function has returned
};
extern const struct scenario scenarios[];
extern const int scenario_count;

void scenario_start(void); // once
void scenario_prepare_main(void);
void scenario_clean(void);

#endif
