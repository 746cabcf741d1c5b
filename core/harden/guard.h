// Blocks that end at an inaccessible page: the first byte behind them faults at once.
//
//   start         p             p + bytes    end            end + page
//   | poison ...  |== user's ===| poison ... |-- no access --|       p = (end - bytes) rounded down to the alignment
//   whole pages of the base, aligned to pages or more
//
// What: every block, or one in N at random, gets whole pages and a guard. What is left before and behind it on its
// pages is poison and looked at on free: this finds underflows, and overflows that stay within the alignment. The guard
// is MADV_GUARD_INSTALL where the kernel has it (no mapping of its own), else an access right (two more mappings each,
// of which a process has 65530).
// Who: as the base.
// Invariant: every guarded block is in the ledger; when it leaves, its guard has gone before.
// Idea: Electric Fence (Perens, 1987); the sampling from GWP-ASan.
#ifndef MB_CORE_HARDEN_GUARD_H
#define MB_CORE_HARDEN_GUARD_H

#include "core/harden/configs.h"
#include "core/harden/guard_page.h"
#include "core/harden/ledger.h"

// A span of a base that cannot free: left over when its guard was refused, used for the next request of its size.
struct mb_guard_spare {
    void *p;
    size_t bytes;
};

struct mb_guard {
    struct mb_layer layer;
    struct mb_ledger ledger;
    struct mb_guard_spare spare;
    struct mb_guard_pages pages;
    uint64_t one_in;   // constant
    uint64_t seed;     // constant
    uint64_t requests; // so far, for the choice; relaxed where shared
};

// For a base that mb_guard_try has been asked about, or whose own base has.
enum mb_error mb_guard_init_tried(struct mb_guard *guard, const struct mb_guard_config *config, enum mb_policy policy,
                                  struct mb_allocator *base);

// Asks first; errors as mb_guard_try.
MB_INLINE enum mb_error mb_guard_init(struct mb_guard *guard, const struct mb_guard_config *config, enum mb_policy policy,
                                      struct mb_allocator *base) {
    enum mb_error error = mb_guard_try(base);
    return error == MB_OK ? mb_guard_init_tried(guard, config, policy, base) : error;
}

// How many live guarded blocks have poison missing around them.
size_t mb_guard_damaged(struct mb_guard *guard);

#endif
