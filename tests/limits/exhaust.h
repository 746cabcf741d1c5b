// The life of a process that runs out of memory: refused with ENOMEM, nothing lost, and well again afterwards.
// Who: called once by a test's main thread; starts its own threads. Invariant: whatever limit is set, it is set by the
// caller.
#ifndef MB_TESTS_LIMITS_EXHAUST_H
#define MB_TESTS_LIMITS_EXHAUST_H

#include "tests/limits/blocks.h"

struct exhaust_plan {
    const struct mem_api *api;
    unsigned threads;       // for the threaded half; 0: single-threaded only
    size_t live_bytes;      // kept, and verified, all the way through
    size_t table_blocks;    // blocks at once, per set (24 bytes each of the test's own memory)
    size_t cap_bytes;       // stop filling here, as if refused (SIZE_MAX: only the limit stops it)
    size_t largest_bytes;   // the largest request that must work once memory is there again
    bool must_be_refused;   // the limit is below cap_bytes, so at least one request must fail
    bool in_turns;          // the limit has no room for what each thread keeps at hand (a slab per class): the threads trim, and
                            //   then try every class one after the other
};

// Allocates from `largest` bytes down to the smallest until every size is refused. The number of refused requests.
size_t exhaust_fill(struct blocks *set, size_t largest, size_t cap_bytes);

// Every size class up to `largest` bytes: malloc, calloc (zero), realloc in both directions, memalign, free.
void exhaust_every_class_works(const struct mem_api *api, size_t largest);

void exhaust_run(const struct exhaust_plan *plan);

#endif
