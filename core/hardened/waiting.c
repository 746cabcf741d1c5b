#include "core/hardened/waiting.h"

#include <string.h>

#include "core/hardened/unit_parts.h"
#include "core/hardened/wall.h"
#include "core/region/arena.h"
#include "core/region/changed.h"
#include "platform/bits.h"
#include "platform/os.h"

struct mb_hard_waiting_shared mb_hard_waiting_shared = {.lock = {.rank = MB_RANK_WAITING}};

void mb_hard_waiting_init(uint64_t seed, size_t budget_bytes) {
    mb_hard_waiting_shared.rng.state = seed;
    mb_hard_waiting_shared.budget_units = budget_bytes >> MB_UNIT_SHIFT;
}

size_t mb_hard_waiting_units(void) { return atomic_load_explicit(&mb_hard_waiting_shared.units, memory_order_relaxed); }

static void note_units(size_t units) { atomic_store_explicit(&mb_hard_waiting_shared.units, units, memory_order_relaxed); }

// --- going -----------------------------------------------------------------------------------------------------------

// A span that cannot be made usable again is abandoned; its pages have gone back to the system already. If the system
// refused to take away the span as a whole, its guards by access still stand. The mark shows whether the system (an
// emulator, a filter) reported success without doing anything.
static void give(size_t first) {
    struct mb_unit *unit = mb_unit_at(first);
    struct mb_hard_waiting waiting = *mb_hard_waiting_of(unit);
    size_t units = mb_hard_units(unit);
    char *p = (char *)mb_unit_address(first);
    mb_unit_set_kind(unit, MB_UNIT_NONE);
    if (waiting.wall == MB_WALL_ACCESS) {
        mb_wall_forget(waiting.accesses);
        mb_arena_give_bare(first, units);
        return;
    }
    bool renew = waiting.moved || mb_changed(first, units) != MB_CHANGE_NONE;
    if (renew && mb_arena_give_renewed(first, units)) {
        mb_wall_forget(waiting.accesses);
        return;
    }
    if (!mb_wall_down(p, units << MB_UNIT_SHIFT, waiting.accesses != 0)) {
        mb_arena_abandon(first, units);
        return;
    }
    mb_wall_forget(waiting.accesses);
    if (waiting.wall == MB_WALL_NONE || (waiting.mark != NULL && *waiting.mark != 0))
        mb_arena_give(first, units);
    else
        mb_arena_give_cold(first, units);
}

static size_t take_out_locked(uint32_t index) {
    size_t first = mb_hard_waiting_shared.first[index];
    mb_hard_waiting_shared.count--;
    memmove(&mb_hard_waiting_shared.first[index], &mb_hard_waiting_shared.first[index + 1],
            (mb_hard_waiting_shared.count - index) * sizeof mb_hard_waiting_shared.first[0]);
    note_units(mb_hard_waiting_units() - mb_hard_units(mb_unit_at(first)));
    return first;
}

// If the budget is exceeded, takes out one of the older spans.
static bool take_one_too_many(size_t *first) {
    mb_lock(&mb_hard_waiting_shared.lock);
    uint32_t count = mb_hard_waiting_shared.count;
    bool over =
        count == MB_HARD_WAITING || (count > MB_HARD_WAITING_FEWEST && mb_hard_waiting_units() > mb_hard_waiting_shared.budget_units);
    if (over)
        *first = take_out_locked(
            count > MB_HARD_WAITING_YOUNGEST ? mb_rng_below(&mb_hard_waiting_shared.rng, count - MB_HARD_WAITING_YOUNGEST) : 0);
    mb_unlock(&mb_hard_waiting_shared.lock);
    return over;
}

static bool take_oldest(size_t *first) {
    mb_lock(&mb_hard_waiting_shared.lock);
    bool any = mb_hard_waiting_shared.count > 0;
    if (any) *first = take_out_locked(0);
    mb_unlock(&mb_hard_waiting_shared.lock);
    return any;
}

bool mb_hard_waiting_flush(void) {
    size_t first;
    bool any = false;
    while (take_oldest(&first)) {
        give(first);
        any = true;
    }
    return any;
}

// --- coming ----------------------------------------------------------------------------------------------------------

static void close_span(const struct mb_hard_gone *gone) {
    struct mb_unit *unit = mb_unit_at(gone->first);
    char *p = (char *)mb_unit_address(gone->first);
    size_t bytes = gone->units << MB_UNIT_SHIFT;
    enum mb_wall wall = MB_WALL_NONE;
    if (gone->touchable != NULL) *gone->touchable = 1;
    // A span with pages whose access was taken away is made inaccessible in the same way as a whole: removing guards by
    // advice would not give those pages their access back.
    if (gone->accesses == 0)
        wall = mb_wall_up(p, bytes, true);
    else if (mb_os_decommit(p, bytes) == 0)
        wall = MB_WALL_ACCESS;
    if (wall == MB_WALL_NONE) mb_os_purge(p, bytes);
    uint32_t accesses = gone->accesses + (wall == MB_WALL_ACCESS && gone->accesses == 0);
    *mb_hard_waiting_of(unit) = (struct mb_hard_waiting){.start = gone->start,
                                                         .mark = gone->touchable,
                                                         .accesses = accesses,
                                                         .wall = (uint8_t)wall,
                                                         .moved = gone->moved,
                                                         .past = gone->past};
    mb_hard_set_units(unit, gone->units);
    mb_unit_set_kind(unit, MB_UNIT_HARD_WAITING);
}

static void come(size_t first, size_t units) {
    mb_lock(&mb_hard_waiting_shared.lock);
    while (mb_hard_waiting_shared.count == MB_HARD_WAITING) { // another thread was faster
        mb_unlock(&mb_hard_waiting_shared.lock);
        size_t other;
        if (take_oldest(&other)) give(other);
        mb_lock(&mb_hard_waiting_shared.lock);
    }
    mb_hard_waiting_shared.first[mb_hard_waiting_shared.count] = (uint32_t)first;
    mb_hard_waiting_shared.count++;
    note_units(mb_hard_waiting_units() + units);
    mb_unlock(&mb_hard_waiting_shared.lock);
}

void mb_hard_wait(const struct mb_hard_gone *gone) {
    size_t other;
    close_span(gone);
    come(gone->first, gone->units);
    while (take_one_too_many(&other)) give(other);
}

// --- after fork ------------------------------------------------------------------------------------------------------

void mb_hard_waiting_recover(uint64_t seed) {
    size_t end = mb_arena_units(), units = 0;
    mb_lock_reset(&mb_hard_waiting_shared.lock);
    mb_hard_waiting_shared.rng.state = seed;
    mb_hard_waiting_shared.count = 0;
    for (size_t i = 0; i < end; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) != MB_UNIT_HARD_WAITING) continue;
        if (mb_hard_waiting_shared.count == MB_HARD_WAITING) {
            give(i);
            continue;
        }
        mb_hard_waiting_shared.first[mb_hard_waiting_shared.count++] = (uint32_t)i;
        units += mb_hard_units(unit);
    }
    note_units(units);
}
