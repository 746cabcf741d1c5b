// What: a model checker: executes every interleaving of small programs on the slab protocol, or on another part of the
// core (explore_map.c and the like), with the allocator's own code. The sources that implement the protocol
// (core/layout, core/small, core/front: see CMakeLists.txt) are compiled with explore_atomics.h, so that each atomic
// access is a step. Two or three fibers run scripts of malloc, free, thread exit, trim and purge on an arena of a few
// units, and a depth-first search tries every choice of the fiber that takes the next step. States that were visited
// before (memory, stacks and registers) are not entered again.
//
// Checks at each step: no block is handed out twice, no span of a live block is given to the arena, live blocks keep
// their contents, no assertion fails, and each access to a block is ordered by acquire and release after the previous
// one (by the memory model, not only in the order of the steps). At the end of each run: every free block is on exactly
// one list, every empty slab was given back.
//
// Usage: race_explore [--weak] [scenario]. On failure the schedule that leads to it is printed step by step. With
// --weak loads may return older values where the memory orders allow that (explore_memory.c); without it all steps are
// sequentially consistent. race_explore --weakened: each memory order listed in weakenings[] is weakened in turn, and
// each time a scenario must fail.
#include "tests/race/explore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

// --- failing --------------------------------------------------------------------------------------------------------

const struct scenario *scenario;
static bool set_up; // the scenario's setup has passed
static jmp_buf on_failure;
static char failure[256];

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
    longjmp(on_failure, 1);
}

void explore_fatal(const char *what, const void *address) {
    if (!within(address, world.memory, sizeof world.memory)) fail("%s: %p", what, address);
    fail("%s: granule %td", what, ((const unsigned char *)address - world.memory) / MB_GRANULE);
}

void explore_assert_failed(const char *condition, const char *file, int line) { fail("%s:%d: assertion %s", file, line, condition); }
size_t explore_page_size(void) { return scenario->page_bytes; }

// --- the search -----------------------------------------------------------------------------------------------------

static struct {
    uint8_t choice; // fiber * PICKS + pick
    uint16_t others; // that could have been taken instead and have not been tried, a bit each
} path[STEPS_MAX];
static size_t depth;

static struct {
    uint64_t *slots; // 0: empty
    size_t capacity, count;
} seen;

static bool seen_insert(uint64_t hash) {
    size_t at = hash & (seen.capacity - 1);
    for (; seen.slots[at] != 0; at = (at + 1) & (seen.capacity - 1))
        if (seen.slots[at] == hash) return false;
    seen.slots[at] = hash;
    seen.count++;
    return true;
}

static void seen_reserve(size_t capacity) {
    uint64_t *old = seen.slots;
    size_t old_capacity = seen.capacity;
    seen.slots = calloc(capacity, sizeof *seen.slots);
    seen.capacity = capacity;
    seen.count = 0;
    if (seen.slots == NULL) fail("no memory for the search");
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i] != 0) seen_insert(old[i]);
    free(old);
}

// True when the state is new.
static bool see(void) {
    if (seen.count * 2 >= seen.capacity) seen_reserve(seen.capacity * 2);
    return seen_insert(state_hash());
}

_Static_assert(FIBERS * PICKS <= 16, "path[].others");

static unsigned choices(void) {
    unsigned ready = 0;
    for (unsigned i = 0; i < FIBERS; i++)
        if (!fiber_is_done(i) && !(world.waits[i] && world.got == world.put) && world.sleeps_on[i] == 0) ready |= fiber_picks(i) << (i * PICKS);
    return ready;
}

static bool all_done(void) {
    for (unsigned i = 0; i < FIBERS; i++)
        if (!fiber_is_done(i)) return false;
    return true;
}

static void push_choice(unsigned ready) {
    if (depth == STEPS_MAX) fail("more than %d steps", STEPS_MAX);
    unsigned choice = (unsigned)__builtin_ctz(ready);
    path[depth].choice = (uint8_t)choice;
    path[depth].others = (uint16_t)(ready & (ready - 1));
    if (path[depth].others != 0) state_save(depth);
    depth++;
    fiber_step(choice);
}

// Continues from the end of the path until no new state is possible. True if the run ended.
static bool go_on(void) {
    while (see()) {
        if (world.over) return true;
        unsigned ready = choices();
        if (ready == 0 && !all_done()) fail("all fibers wait");
        if (ready == 0) {
            script_check_end();
            return true;
        }
        push_choice(ready);
    }
    return false;
}

// The next path in order: the last step that had another choice takes it. False when there is none.
static bool turn_back(void) {
    while (depth > 0 && path[depth - 1].others == 0) depth--;
    if (depth == 0) return false;
    unsigned others = path[depth - 1].others;
    path[depth - 1].choice = (uint8_t)__builtin_ctz(others);
    path[depth - 1].others = (uint16_t)(others & (others - 1));
    state_restore(depth - 1);
    fiber_step(path[depth - 1].choice);
    return true;
}

static void replay(void) {
    state_restore(FIRST_STATE);
    for (size_t i = 0; i < depth; i++) fiber_step(path[i].choice);
}

// --- a scenario -----------------------------------------------------------------------------------------------------

static void begin_scenario(void) {
    fibers_forget_strays();
    set_up = false;
    script_set_up();
    fibers_start();
    fibers_begin();
    depth = 0;
    set_up = true;
}

// The whole of every scenario takes minutes; the default run stops each after so many states.
static size_t states_max(void) {
    const char *value = getenv("MB_TEST_LONG");
    if (value != NULL && strcmp(value, "1") == 0) return SIZE_MAX;
    return weak && weakened == NULL ? 15000 : 40000;
}

static void search(void) {
    size_t runs = 0;
    size_t ends = 0;
    free(seen.slots);
    seen.slots = NULL;
    seen.capacity = 0;
    seen_reserve(1 << 16);
    begin_scenario();
    do {
        ends += go_on();
        runs++;
    } while (turn_back() && seen.count < states_max());
    const char *whole = seen.count < states_max() ? "" : " (bounded; MB_TEST_LONG=1 searches to the end)";
    printf("explore: %-32s %9zu states, %8zu runs, %6zu ends%s\n", scenario->name, seen.count, runs, ends, whole);
    fflush(stdout);
}

// Called after a failure: repeats the same steps and prints them.
static void tell(void) {
    static char reason[sizeof failure];
    memcpy(reason, failure, sizeof reason);
    printf("explore: FAIL \"%s\" (setup %s): %s\n", scenario->name, scenario->setup, reason);
    fflush(stdout);
    if (!set_up) return;
    tracing = true;
    if (setjmp(on_failure) == 0) {
        replay();
        if (all_done()) script_check_end();
    }
    printf("explore: %s\n", failure);
}

// False on a failure.
static bool holds(const struct scenario *s) {
    scenario = s;
    if (setjmp(on_failure) == 0) {
        search();
        return true;
    }
    current = NOBODY;
    return false;
}

static bool run_scenario(const struct scenario *s) {
    bool right = holds(s);
    if (!right) tell();
    return right;
}

static bool run_scenarios(const char *name) {
    for (size_t i = 0; scenarios[i].name != NULL; i++)
        if ((name == NULL || strcmp(name, scenarios[i].name) == 0) && !run_scenario(&scenarios[i])) return false;
    return true;
}

// Whether the scenario fails with the weaker order. (Without it the tests race_explore_weak and race_explore_map_weak
// are for.)
static bool finds(const struct weakened *order, const struct scenario *s) {
    weakened = order;
    bool found = !holds(s);
    weakened = NULL;
    printf("explore: %s, %s of order %d: %s\n", order->place, (const char *[]){"load", "store", "exchange"}[order->kind], order->to,
           found ? failure : "NOT FOUND");
    return found;
}

static const struct scenario *scenario_named(const char *name) {
    const struct scenario *s = scenarios;
    while (strcmp(s->name, name) != 0) s++;
    return s;
}

static bool run_weakened(void) {
    bool all = true;
    for (const struct weakened *w = weakenings; w->place != NULL; w++) all &= finds(w, scenario_named(w->scenario));
    return all;
}

int main(int argc, char **argv) {
    bool weaker_orders = argc > 1 && strcmp(argv[1], "--weakened") == 0;
    weak = weaker_orders || (argc > 1 && strcmp(argv[1], "--weak") == 0);
    if (weaker_orders) return run_weakened() ? 0 : 1;
    return run_scenarios(argc > 1 + weak ? argv[1 + weak] : NULL) ? 0 : 1;
}
