// What: large blocks that are kept for reuse (core/large/large_keep.h) under the explorer: the slots of each heap,
// which only its owner fills and any thread empties, and the slots shared by all threads. Blocks have one unit or half
// of one; this file provides fresh memory and takes it back.
//
// Checks at each step: no half of a unit has two owners, none is given back while live, each use is ordered after the
// previous one, contents are kept. At the end of each run, when all slots have been emptied: everything that is not
// live is free. A second free of a block that nobody has allocated again is either reported or the only one that took
// effect.
#include "tests/race/explore.h"

#include <setjmp.h>
#include <string.h>

#include "core/front/large.h"
#include "core/front/malloc.h"
#include "core/heap/heaps.h"
#include "core/heap/perturb.h"
#include "core/large/large_keep.h"
#include "core/large/large_quick.h"
#include "core/large/outside.h"
#include "core/process/background.h"
#include "core/process/init.h"
#include "core/region/arena.h"
#include "core/region/purge.h"
#include "platform/os.h"

// Scripts, a character an operation:
//   L l   malloc of a unit, of half a one       f    free the newest own block     0-7  free that block of the setup
//   d     free block 0 of the setup a second time, as a program with a fault does
//   p g   put the newest own block into the next cell; wait for the next cell and free what is there
//   F     give back all that is kept            a    a tick of the purge clock (two give back what is kept)
//   x n   the thread ends, and its heap is for another one; a new thread comes and takes that
// In the setup blocks are fiber 0's; e frees the newest one, so that it is in a slot when the run begins.
const struct scenario scenarios[] = {
    {"both keep", "", {"Lf", "Lf"}, 32, ""},
    {"kept, taken again, given back", "Le", {"L", "F"}, 32, ""},
    {"kept, given back twice", "Le", {"", "F", "F"}, 32, ""},
    {"freed, given back", "L", {"0", "F"}, 32, ""},
    {"freed, given back, taken", "L", {"0L", "F", "L"}, 32, ""},
    {"freed and taken, two give back", "L", {"0L", "F", "F"}, 32, ""},
    {"freed by another", "L", {"L", "0"}, 32, ""},
    {"freed by another, taken by a third", "LLL", {"", "0", "L"}, 32, ""},
    {"freed by others, both taken", "LL", {"L", "0", "1"}, 32, ""},
    {"freed by another, given back", "L", {"F", "0", "L"}, 32, ""},
    {"producer, consumer", "", {"LpLp", "gg"}, 32, ""},
    {"aged, taken", "Le", {"L", "aa"}, 32, ""},
    {"freed, aged", "L", {"0", "aa"}, 32, ""},
    {"aged by two", "Le", {"L", "a", "a"}, 32, ""},
    {"halves, freed and given back", "ll", {"0l", "1", "F"}, 32, ""},
    {"halves of two owners", "l", {"0", "lf", "F"}, 32, ""},
    {"memory is short", "LLLe", {"", "L"}, 32, ""},
    {"memory is short, owner takes", "LLee", {"L", "LL"}, 32, ""},
    {"memory is short, others'", "LLLee", {"0", "L", "L"}, 32, ""},
    {"exit, taken over", "Le", {"x", "nLf"}, 32, "1"},
    {"exit while others give back", "LLe", {"x", "nL", "F"}, 32, "1"},
    {"freed twice at once", "L", {"0", "d"}, 32, ""},
    {"freed twice at once, given back", "L", {"0", "d", "F"}, 32, ""},
    {"freed twice by others", "L", {"", "0", "d"}, 32, ""},
    {NULL, NULL, {NULL}, 0, NULL},
};

enum { HALVES = 2 * UNITS, HALF_BYTES = MB_UNIT_BYTES / 2, HALF_PIECES = MB_UNIT_PIECES / 2 };

// --- mistakes --------------------------------------------------------------------------------------------------------

static jmp_buf at_end; // of a run, where a mistake may be told, too

static bool frees_twice(void) {
    for (unsigned i = 0; i < FIBERS; i++)
        if (scenario->script[i] != NULL && strchr(scenario->script[i], 'd') != NULL) return true;
    return false;
}

// The process ends.
_Noreturn static void told(const char *what, const void *p) {
    if (!frees_twice()) fail("%s: %p", what, p);
    if (current == NOBODY) longjmp(at_end, 1);
    world.over = true;
    for (;;) fiber_pause();
}
void mb_report_freed_at_once(const void *p) { told("freed at once", p); }
void mb_report_inside(enum mb_operation operation, const void *p) { (void)operation, told("no block", p); }
void mb_report_freed(enum mb_operation operation, const void *p) { (void)operation, told("freed twice", p); }

// --- fresh memory ----------------------------------------------------------------------------------------------------

static void ground_step(void) {
    EXPLORE_BEFORE(&world.free_units, EXPLORE_EXCHANGE, memory_order_acq_rel);
    EXPLORE_AFTER(&world.free_units, EXPLORE_EXCHANGE, memory_order_acq_rel);
}

static uint64_t halves_at(size_t first, size_t pieces) {
    if (first % HALF_PIECES != 0 || pieces % HALF_PIECES != 0 || first + pieces > HALVES * HALF_PIECES)
        fail("%zu pieces at %zu", pieces, first);
    return ((UINT64_C(1) << pieces / HALF_PIECES) - 1) << first / HALF_PIECES;
}

// A second free is a fault of the program, so no order is required for it.
static void use(uint64_t halves) {
    if (!memory_use((uint32_t)halves) && !frees_twice()) fail("halves %#x: not ordered after their last use", (unsigned)halves);
}

bool mb_pieces_take_held(size_t pieces, size_t align, struct mb_run *out) { return (void)pieces, (void)align, (void)out, false; }

bool mb_pieces_take(size_t pieces, size_t align, struct mb_run *out) {
    ground_step();
    for (size_t half = 0; half + pieces / HALF_PIECES <= HALVES; half++) {
        uint64_t halves = halves_at(half * HALF_PIECES, pieces);
        if ((world.free_units & halves) != halves) continue;
        world.free_units &= ~halves;
        *out = (struct mb_run){half * HALF_PIECES, pieces, false};
        return true;
    }
    return (void)align, false;
}

void mb_pieces_give(size_t first, size_t pieces) {
    if (pieces == 0) return;
    uint64_t halves = halves_at(first, pieces);
    use(halves);
    ground_step();
    if ((world.free_units & halves) != 0) fail("halves %#x: given back twice", (unsigned)halves);
    for (size_t half = 0; half < HALVES; half++)
        if ((halves >> half & 1) != 0 && world.live[half] != 0) fail("half %zu given back while live", half);
    world.free_units |= halves;
}

bool mb_arena_take(size_t units, size_t align_units, struct mb_span *out) { fail("%zu units (%zu, %p)", units, align_units, (void *)out); }
struct mb_purge_shared mb_purge_shared;
int mb_os_purge(void *p, size_t bytes) { fail("%zu bytes purged at %p", bytes, p); }
void *mb_outside_alloc(size_t align, size_t bytes) { return (void)align, (void)bytes, NULL; } // no memory
size_t mb_arena_decommit_all(void) { return 0; }
void mb_arena_shortage_enter(void) {}
void mb_arena_shortage_leave(void) {}
void mb_background_tick(void) {}
void mb_background_span_freed(size_t units) { (void)units; }
void mb_background_claim_all(void) {}

// The metadata that is requested is for heaps.
void *mb_arena_metadata(size_t bytes, size_t align) {
    if (bytes != sizeof(struct mb_heap) || world.metadata_used == FIBERS) fail("%zu bytes of metadata, aligned to %zu", bytes, align);
    return &world.heaps[world.metadata_used++];
}

// --- blocks ----------------------------------------------------------------------------------------------------------

static size_t half_of(const unsigned char *p) { return (size_t)(p - world.memory) / HALF_BYTES; }

// As core/front/slow.c does.
static unsigned char *take_block(size_t bytes) {
    struct mb_heap *heap = mb_heap_self;
    uint64_t seen;
    _Atomic uint64_t *slot = mb_large_find_same(heap, bytes, &seen);
    size_t first = mb_large_entry_first(seen);
    if (slot != NULL && mb_large_take_found(heap, slot, seen, mb_large_of_piece(first))) return mb_piece_address(first);
    void *p = mb_large_alloc_kept(heap, bytes);
    return p != NULL ? p : mb_large_alloc_missed(heap, bytes);
}

static unsigned char *allocate(size_t bytes) {
    unsigned char *p = take_block(bytes);
    if (p == NULL) return NULL;
    if (!within(p, world.memory, sizeof world.memory)) fail("malloc returned %p", (void *)p);
    size_t first = half_of(p), count = bytes / HALF_BYTES;
    for (size_t half = first; half < first + count; half++)
        if (world.live[half] != 0 || (world.free_units >> half & 1) != 0) fail("half %zu in two hands", half);
    for (size_t half = first; half < first + count; half++) world.live[half] = (uint8_t)count;
    use(halves_at(first * HALF_PIECES, count * HALF_PIECES));
    memset(p, 0x40 + (int)first, bytes);
    return p;
}

static void release(unsigned char *p) {
    if (p == NULL) return; // a malloc that found no memory
    size_t first = half_of(p), count = world.live[first];
    use(halves_at(first * HALF_PIECES, count * HALF_PIECES));
    for (size_t i = 0; i < count * HALF_BYTES; i++)
        if (p[i] != 0x40 + first) fail("half %zu changed while live", first);
    for (size_t half = first; half < first + count; half++) world.live[half] = 0;
    mb_free(p);
}

// Another thread may have freed or taken it before.
static void release_again(unsigned char *p) {
    size_t first = half_of(p);
    if (world.live[first] != 0 && p[0] == 0x40 + first) world.live[first] = world.live[first + 1] = 0;
    mb_free(p);
}

static void keep(unsigned index, unsigned char *p) {
    if (current == NOBODY) world.preset[world.presets++] = p;
    world.own[index][world.owned[index]++] = p;
}

static unsigned char *newest(unsigned index) {
    if (world.owned[index] == 0) fail("the script has no block");
    return world.own[index][--world.owned[index]];
}

static void put_cell(void *what) {
    EXPLORE_BEFORE(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
    world.cell[world.put++] = what;
    EXPLORE_AFTER(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
}

static void *get_cell(unsigned index) {
    world.waits[index] = true;
    EXPLORE_BEFORE(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
    world.waits[index] = false;
    EXPLORE_AFTER(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
    return world.cell[world.got++];
}

// As core/process/thread.c.
static void leave_thread(void) {
    struct mb_heap *heap = mb_heap_self;
    mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_departed;
    mb_large_flush_heap(heap);
    put_cell(heap);
}

void script_operation(unsigned index, char operation) {
    switch (operation) {
    case 'L': keep(index, allocate(MB_UNIT_BYTES)); break;
    case 'l': keep(index, allocate(HALF_BYTES)); break;
    case 'e':
    case 'f': release(newest(index)); break;
    case 'd': release_again(world.preset[0]); break;
    case 'p': put_cell(newest(index)); break;
    case 'g': release(get_cell(index)); break;
    case 'F': mb_large_flush(); break;
    case 'a': mb_large_age(); break;
    case 'x': leave_thread(); break;
    case 'n': mb_heap_self = get_cell(index); break;
    default: release(world.preset[operation - '0']); break;
    }
}

// --- the setup -------------------------------------------------------------------------------------------------------

static void set_up_world(void) {
    world_begin();
    mb_large_keep_shared.own_pieces_max = 0;
    atomic_store_explicit(&mb_heaps_root_shared.registered, NULL, memory_order_relaxed);
    for (unsigned i = 0; i < FIBERS; i++) {
        struct mb_heap *heap = mb_heap_new();
        heap->token = heap;
    }
    world.free_units = (1u << HALVES) - 1;
    mb_space.base = (uintptr_t)world.memory;
    mb_space.table = world.table;
    mb_space.bytes = sizeof world.memory;
    atomic_store_explicit(&mb_init_shared.stage, MB_INIT_READY, memory_order_relaxed);
}

// Heaps keep blocks once one of everybody's has been used again.
void script_set_up(void) {
    set_up_world();
    mb_perturb_set(0);
    mb_heap_self = &world.heaps[0];
    release(allocate(MB_UNIT_BYTES));
    release(allocate(MB_UNIT_BYTES));
    mb_large_flush();
    for (const char *at = scenario->setup; *at != '\0'; at++) script_operation(0, *at);
}

// The slot that such an address is of, from the first of the heap's; MB_LARGE_SETS * MB_LARGE_SLOTS: of none.
static size_t slot_of(const volatile void *p) {
    for (unsigned i = 0; i < FIBERS; i++)
        if (within(p, world.heaps[i].shared.kept, sizeof world.heaps[i].shared.kept))
            return ((uintptr_t)p - (uintptr_t)world.heaps[i].shared.kept) / sizeof(uint64_t);
    return MB_LARGE_SETS * MB_LARGE_SLOTS;
}

// All lengths here belong to the last two sets, and nobody frees so many that the last slot of one is needed.
static bool is_used(size_t slot) { return slot / MB_LARGE_SLOTS >= MB_LARGE_LONG_SET - 1 && slot % MB_LARGE_SLOTS != MB_LARGE_SLOTS - 1; }

bool script_is_constant(const volatile void *p) {
    size_t slot = slot_of(p);
    return slot < MB_LARGE_SETS * MB_LARGE_SLOTS && !is_used(slot);
}

const char *place_name(const volatile void *p) {
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)world.table) % offsetof(struct mb_unit, upper);
    if (slot_of(p) < MB_LARGE_SETS * MB_LARGE_SLOTS) return "slot";
    if (within(p, world.table, sizeof world.table)) return offset == offsetof(struct mb_slab, kind) ? "kind" : "record";
    if (within(p, &world, sizeof world)) return "ground";
    if (within(p, &mb_heaps_root_shared, sizeof mb_heaps_root_shared)) return "heaps";
    return within(p, &mb_large_keep_shared, sizeof mb_large_keep_shared) ? "limits" : "everybody's slot";
}

const struct weakened weakenings[] = {
    {"slot", EXPLORE_STORE, memory_order_relaxed, "freed, given back"},
    {"slot", EXPLORE_EXCHANGE, memory_order_relaxed, "freed, given back"},
    {"slot", EXPLORE_EXCHANGE, memory_order_relaxed, "freed, aged"},
    {"everybody's slot", EXPLORE_EXCHANGE, memory_order_relaxed, "freed by another"},
    {"everybody's slot", EXPLORE_EXCHANGE, memory_order_acquire, "freed by another"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};

// --- the end of a run ------------------------------------------------------------------------------------------------

static void check_heap(const struct mb_heap *heap) {
    for (size_t i = 0; i < MB_LARGE_SETS * MB_LARGE_SLOTS; i++)
        if (!is_used(i) && mb_large_cache_look(&heap->shared.kept[i / MB_LARGE_SLOTS], i % MB_LARGE_SLOTS) != 0)
            fail("slot %zu is used", i);
}

void script_check_end(void) {
    if (setjmp(at_end) != 0) return;
    for (unsigned i = 0; i < FIBERS; i++) check_heap(&world.heaps[i]);
    mb_large_flush();
    for (size_t half = 0; half < HALVES; half++)
        if ((world.free_units >> half & 1) != (world.live[half] == 0)) fail("half %zu lost", half);
}
