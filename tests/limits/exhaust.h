// The life of a process that runs out of memory: requests are refused with ENOMEM, nothing is lost, and afterwards it
// recovers.
// Who: called once by a test's main thread; starts its own threads. Invariant: the caller sets the limit, if there is
// one.
#ifndef MB_TESTS_LIMITS_EXHAUST_H
#define MB_TESTS_LIMITS_EXHAUST_H

#include "tests/limits/blocks.h"

struct exhaust_plan {
    const struct mem_api *api;
    unsigned threads;       // for the part with threads; 0: skip that part
    size_t live_bytes;      // stay allocated during the whole test, and are verified
    size_t table_blocks;    // the number of blocks in each set (24 bytes each of the test's own memory)
    size_t cap_bytes;       // stop here as if refused (SIZE_MAX: only the limit ends the filling)
    size_t largest_bytes;   // the largest request that must succeed after memory was freed
    bool must_be_refused;   // the limit is below cap_bytes, so at least one request must be refused
    bool in_turns;          // the limit has no room for what each thread keeps at hand (a slab per class): the threads trim, and
                            //   then try every class one after the other
};

// Allocates blocks from `largest` bytes downwards until every size is refused. Returns the number of refused requests.
size_t exhaust_fill(struct blocks *set, size_t largest, size_t cap_bytes);

// Every size class up to `largest` bytes: malloc, calloc (zero), realloc in both directions, memalign, free.
void exhaust_every_class_works(const struct mem_api *api, size_t largest);

void exhaust_run(const struct exhaust_plan *plan);

#endif
