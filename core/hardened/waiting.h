// The quarantine of spans: freed large blocks and slabs without blocks wait here before their addresses are used again.
//
// What: a waiting span is inaccessible and not resident; it costs address space and, where guards are marks in the page
// table, commit charge. At most MB_HARD_WAITING spans wait, with at most as many bytes as the option quarantine_large
// allows; beyond that one of them, drawn at random from all but the youngest, leaves. When memory is short, all leave.
// Who: any thread; in a forked child the lock is reset, and the list is rebuilt from the descriptors.
// Invariant: a span on the list has kind MB_UNIT_HARD_WAITING.
#ifndef MB_CORE_HARDENED_WAITING_H
#define MB_CORE_HARDENED_WAITING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/lock.h"
#include "core/base/rng.h"
#include "core/hardened/past.h"

enum {
    MB_HARD_WAITING = 256,
    MB_HARD_WAITING_YOUNGEST = 64, // the youngest spans, which stay as long as there are older ones
    MB_HARD_WAITING_FEWEST = 4,    // as many stay whatever the budget is
};

extern MB_HIDDEN struct mb_hard_waiting_shared {
    struct mb_lock_shared lock; // guards the rest
    struct mb_rng rng;
    uint32_t count;
    uint32_t first[MB_HARD_WAITING]; // units, in the order in which they came
    _Atomic size_t units;            // of all of them; written under the lock
    size_t budget_units;             // constant
} mb_hard_waiting_shared;            // for waiting.c and its explorer alone

void mb_hard_waiting_init(uint64_t seed, size_t budget_bytes);

// The caller owns the span, whose first unit is marked as MB_UNIT_NONE. `start`: where the block in it began.
// `accesses`: the number of walls of kind MB_WALL_ACCESS inside it.
struct mb_hard_gone {
    size_t first, units;
    uintptr_t start;
    char *touchable; // an address in it; NULL: none
    uint32_t accesses;
    bool moved;
    struct mb_hard_past past;
};
void mb_hard_wait(const struct mb_hard_gone *gone);

// Gives every waiting span to the arena. True if there was one.
bool mb_hard_waiting_flush(void);

size_t mb_hard_waiting_units(void);

// In a forked child, alone.
void mb_hard_waiting_recover(uint64_t seed);

#endif
