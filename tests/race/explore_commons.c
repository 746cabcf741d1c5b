// What: heaps that all threads share (core/small/commons.h) under the explorer: the lock of each, with waiting and
// waking, and their slabs, whose owner is the thread that holds the lock.
//
// Checks at each step, besides those of explore_blocks.c: no two threads in one commons, each entry ordered after the
// previous one, no thread sleeps forever (timeouts do not expire here, except for a thread that has interrupted
// itself).
#include "tests/race/explore.h"

#include <string.h>

#include "core/front/slow.h"
#include "core/heap/heaps.h"
#include "core/layout/size_class.h"
#include "core/small/commons.h"

// More of a script's characters:
//   c C  a block of 16 or 32 bytes from the commons     e  enter the commons and leave it      s  that of the samples
//   i    enter it, and once more, as a signal handler does that has interrupted its thread in there
//   r    let go of all commons' slabs, as malloc_trim and whoever is short of memory do
const struct scenario scenarios[] = {
    {"two enter", "", {"e", "e"}, 64, "01"},
    {"three enter", "", {"e", "e", "e"}, 64, "012"},
    {"enter twice", "", {"ee", "ee"}, 64, "01"},
    {"three enter twice", "", {"ee", "ee", "e"}, 64, "012"},
    {"samples", "", {"s", "s", "es"}, 64, "012"},
    {"interrupted inside", "", {"i", "e"}, 64, "01"},
    {"enter, let go", "c", {"e", "r", "er"}, 64, "12"},
    {"apart", "A", {"e", "e", "ee"}, 64, ""},
    {"apart, let go", "A", {"e", "re", "r"}, 64, ""},
    {"two take", "", {"c", "c"}, 64, "01"},
    {"two take twice", "", {"CC", "C"}, 64, "01"},
    {"three take", "", {"C", "C", "c"}, 64, "012"},
    {"take and free", "", {"cf", "cf"}, 64, "01"},
    {"take, free another's", "", {"Cp", "Cg"}, 64, "01"},
    {"full slab, others free", "CC", {"C", "0", "1"}, 64, "012"},
    {"take, let go", "c", {"c", "r", "0"}, 64, "012"},
    {"freed while let go, class changes", "CC", {"r", "01", "c"}, 64, "012"},
    {"own slab beside", "cM", {"M", "0c", "1"}, 64, "12"},
    {"exit, adopted by the commons", "mm", {"x", "c", "01"}, 64, "12"},
    {"short of memory", "MMMM", {"c", "C", "01"}, 64, "012"},
    {NULL, NULL, {NULL}, 0, NULL},
};

enum { GATE_STRIDE = MB_LINE_PAIR, IN_SHARED = 16 };

void explore_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t ns);
void explore_wake(_Atomic uint32_t *word, int threads);

// --- the kernel ------------------------------------------------------------------------------------------------------

// A bit of world.inside: the fiber is a signal handler that has interrupted itself in there.
static uint32_t interrupted(void) { return 1u << current; }

void explore_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t ns) {
    (void)ns;
    if (strcmp(place_name(word), "gate") != 0) return; // a moment, in core/small/own.c
    fiber_pause();
    if (*word != seen || (world.inside & interrupted()) != 0) return;
    world.sleeps_on[current] = (uintptr_t)word;
    fiber_pause();
}

void explore_wake(_Atomic uint32_t *word, int threads) {
    bool lost = weakened != NULL && strcmp(weakened->place, "wake") == 0;
    fiber_pause();
    for (unsigned i = 0; i < FIBERS && threads > 0 && !lost; i++) {
        if (world.sleeps_on[i] != (uintptr_t)word) continue;
        world.sleeps_on[i] = 0;
        threads--;
    }
}

// --- inside ----------------------------------------------------------------------------------------------------------

static uint32_t bit_of(const struct mb_heap *commons) {
    size_t i = (size_t)(commons - mb_commons_at(0));
    return 1u << (IN_SHARED + (i == MB_COMMONS_SAMPLES ? MORE_HEAPS : i));
}

static void come_in(const struct mb_heap *commons) {
    uint32_t bit = bit_of(commons);
    if (!mb_commons_is(commons) || commons->token != commons) fail("no commons");
    if ((world.inside & bit) != 0) fail("two in one commons");
    world.inside |= bit;
    if (!memory_use(bit)) fail("a commons: not ordered after its last use");
}

static void go_out(const struct mb_heap *commons) {
    world.inside &= ~bit_of(commons);
    mb_commons_leave(commons);
}

static void enter(bool samples) {
    struct mb_heap *commons = samples ? mb_commons_enter_samples() : mb_commons_enter(mb_heap_self);
    if (commons == NULL) fail("no patience");
    come_in(commons);
    go_out(commons);
}

static void enter_and_be_interrupted(void) {
    struct mb_heap *commons = mb_commons_enter(mb_heap_self);
    if (commons == NULL) fail("no patience");
    come_in(commons);
    world.inside |= interrupted();
    if (mb_commons_enter(mb_heap_self) != NULL) fail("one thread twice in one commons");
    world.inside &= ~interrupted();
    go_out(commons);
}

// As core/front/slow.c, without rounding the class up.
static void take(unsigned index, size_t bytes) {
    struct mb_heap *commons = mb_commons_enter(mb_heap_self);
    if (commons == NULL) fail("no patience");
    come_in(commons);
    void *p = mb_heap_take_block(commons, mb_class_of(bytes));
    go_out(commons);
    p = blocks_allocated(p, bytes);
    if (current == NOBODY)
        world.preset[world.presets++] = p;
    else
        blocks_keep(index, p);
}

bool blocks_operation(unsigned index, char operation) {
    switch (operation) {
    case 'A': mb_heaps_recover(MB_COMMONS_APART); return true;
    case 'e': enter(false); return true;
    case 's': enter(true); return true;
    case 'i': enter_and_be_interrupted(); return true;
    case 'c': take(index, 16); return true;
    case 'C': take(index, 32); return true;
    case 'r': mb_commons_release(); return true;
    default: return false;
    }
}

// --- the setup, and the end of a run ---------------------------------------------------------------------------------

static uintptr_t gates; // address of the first gate

// The first atomic that entering writes.
static void find_gates(void) {
    size_t known = 0;
    while (fibers_stray(known) != NULL) known++;
    mb_commons_leave(mb_commons_enter(mb_heap_self));
    gates = (uintptr_t)fibers_stray(known);
}

// As in a forked child.
void blocks_set_up(void) {
    more_heaps = (struct mb_heap *)(uintptr_t)mb_commons_at(0);
    mb_heaps_recover(0);
    if (gates == 0) find_gates();
    mb_commons_recover();
}

void blocks_check_end(void) {
    if (world.inside != 0) fail("somebody is still inside");
    mb_commons_release();
}

const char *blocks_place_name(const volatile void *p) {
    return (uintptr_t)p - gates < (uintptr_t)MB_COMMONS * GATE_STRIDE && ((uintptr_t)p - gates) % GATE_STRIDE == 0 ? "gate" : "elsewhere";
}

const struct weakened weakenings[] = {
    {"gate", EXPLORE_EXCHANGE, memory_order_relaxed, "enter twice"},
    {"gate", EXPLORE_EXCHANGE, memory_order_acquire, "enter twice"},
    {"gate", EXPLORE_EXCHANGE, memory_order_relaxed, "two take twice"},
    {"wake", EXPLORE_EXCHANGE, memory_order_relaxed, "three enter"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};
