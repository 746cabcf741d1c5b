// What: the protocol between the tracer (step.c) and the stepped process (stepped.c): commands and answers of fixed
// size over two pipes, and one shared page.
#ifndef MB_TESTS_FORK_PROTOCOL_H
#define MB_TESTS_FORK_PROTOCOL_H

#include <signal.h>
#include <stdint.h>

#include "tests/fork/adopt.h"

enum { FD_COMMANDS = 10, FD_ANSWERS = 11, FD_GO = 12, FD_SHARED = 13 };
enum { BODY_BEGINS = SIGUSR1, BODY_ENDS = SIGUSR2 }; // the worker sends them to itself
enum op { OP_START = 1, OP_FORK, OP_JOIN, OP_QUIT };
enum way { WAY_FORK, WAY_UNDERSCORE_FORK, WAY_RAW_CLONE, WAY_COUNT };

struct command {
    int op, argument; // OP_START, OP_JOIN: which scenario; OP_FORK: enum way
};

// OP_START: the id of the thread to step. OP_FORK: the child's wait status. OP_JOIN, OP_QUIT: 0.
struct answer {
    int value;
};

struct shared {
    uint64_t text_from, text_to, load_bias; // the allocator's code
    char library[512];
    struct adopt_report report;
};

#endif
