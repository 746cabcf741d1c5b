// What: every interleaving of small programs on the slab protocol, executed by the allocator's own code. The sources that
// make the protocol (core/layout, core/heap: see CMakeLists.txt) are compiled with explore_atomics.h, so each atomic access
// is a step; two or three fibers run scripts of malloc, free, exit and trim on an arena of a few units, and a depth-first
// search takes every choice of who goes next. States that were seen before (memory, stacks and registers) are not entered again.
//
// Checks at each step: no block handed out twice, no live block's span given to the arena, blocks untouched while live, no
// assertion, and each access to a block ordered by acquire and release after the one before it (not only in this order
// of steps). At each end: every free block on exactly one list, every empty slab given back.
//
// Usage: race_explore [scenario]. On failure the schedule that leads to it is printed step by step.
// Limit: steps are sequentially consistent; what weaker orders allow beyond the check above is not explored.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/harden/link_key.h"
#include "core/heap/background.h"
#include "core/heap/fork.h"
#include "core/heap/heap.h"
#include "core/heap/init.h"
#include "core/heap/own.h"
#include "core/heap/self.h"
#include "core/region/arena.h"
#include "core/region/unit.h"

enum {
    UNITS = 3,
    FIBERS = 3,
    GRANULES = UNITS * MB_UNIT_BYTES / MB_GRANULE,
    GRANULES_PER_UNIT = MB_UNIT_BYTES / MB_GRANULE,
    PRESETS = 8,
    CELLS = 4,
    LOCATIONS = 96,
    STACK_BYTES = 32 << 10,
    SAVED_STACK_BYTES = 6 << 10,
    STACK_SLACK = 256, // below the marked end of a live stack: what the switch itself saves there
    STEPS_MAX = 2000,
    METADATA_BYTES = 512,
    NOBODY = -1,
};

// --- scenarios ------------------------------------------------------------------------------------------------------

// Scripts, a character an operation:
//   m M   malloc of 16 (four a slab) or 32 bytes (two a slab); S: malloc and free one of 48 (one a slab)
//   f     free the newest own block           0-7  free that block of the setup
//   p g   put the newest own block into the next cell; wait for the next cell and free what is there
//   t     claim every empty slab, as malloc_trim and the helper do      x  the thread exits
struct scenario {
    const char *name;
    const char *setup;          // by fiber 0's heap, alone
    const char *script[FIBERS]; // NULL: no such fiber
    unsigned page_bytes;        // what one carve may touch: 64 carves a whole slab
    const char *heapless;       // digits of the fibers that only free and have no heap
};

static const struct scenario scenarios[] = {
    {"full slab, two free", "MMM", {"", "0", "1"}, 64, "12"},
    {"full slab, three free", "mmmmm", {"0", "1", "2"}, 64, "12"},
    {"full slab, all free", "mmmmm", {"03", "1", "2"}, 64, "2"},
    {"home and remote, trim", "MMM", {"0", "1", "t"}, 64, ""},
    {"owner pops, others push", "MM", {"MM", "0", "1"}, 64, ""},
    {"owner frees and pops", "MM", {"0M", "1", "M"}, 64, ""},
    {"owner pops twice", "mmmm", {"mm", "01", "2"}, 64, "1"},
    {"current, trim", "MM", {"M0", "1", "t"}, 64, "1"},
    {"queued, trim", "MMMM", {"0M", "1", "t"}, 64, "1"},
    {"queued, claimed, class changes", "MMMM", {"0", "1", "mf"}, 64, ""},
    {"leaving, class changes", "MM", {"M", "01", "S"}, 64, "1"},
    {"exit, others free", "MM", {"x", "0", "1"}, 64, "12"},
    {"exit, class changes", "MM", {"x", "01", "S"}, 64, "1"},
    {"exit and adoption", "mmm", {"x", "0m", "1"}, 64, ""},
    {"exit and two adoptions", "mm", {"x", "m", "m"}, 64, ""},
    {"two exits", "MMM", {"x", "0x", "1M"}, 64, ""},
    {"frees, exits, adopted", "mm", {"0x", "1", "mm"}, 64, "1"},
    {"pooled, two take", "mmmmm", {"0", "m", "m"}, 64, "0"},
    {"pooled, taken, completed", "MMM", {"2", "0M", "1"}, 64, ""},
    {"home frees, other adopts", "mmmmm", {"01", "2", "m"}, 64, ""},
    {"home frees after adoption", "mmmmm01", {"23", "mm", "t"}, 64, ""},
    {"producer, consumer", "", {"MpMpM", "gg", "t"}, 64, "1"},
    {"both ways", "", {"MpM", "Mpgg"}, 64, ""},
    {"carving in steps", "m", {"mm", "0", "t"}, 32, "1"},
    {"carving, left, adopted", "mmm", {"mx", "0", "1m"}, 32, ""},
    {"short of memory", "MMMMM", {"MM", "01"}, 64, "1"},
    {"short of memory, two ask", "MMMMM", {"M", "0", "M"}, 64, "1"},
};

// --- the world ------------------------------------------------------------------------------------------------------

// Everything that the steps change, apart from fibers and from atomics inside the core's own files (struct stray).
static struct world {
    _Alignas(4096) unsigned char memory[UNITS * MB_UNIT_BYTES];
    struct mb_unit table[UNITS];
    struct mb_heap heaps[FIBERS];
    _Alignas(16) unsigned char metadata[METADATA_BYTES];
    size_t metadata_used;
    uint64_t free_units;             // a bit a unit
    uint8_t live[GRANULES];          // granule 0 of a live block: its granules; else 0
    unsigned char *preset[PRESETS];  // blocks of the setup
    size_t presets;
    unsigned char *own[FIBERS][PRESETS];
    size_t owned[FIBERS];
    unsigned char *cell[CELLS];
    size_t put, got;
    bool waits[FIBERS];              // for cell[got]
    uint32_t knows[FIBERS];          // bit g: the last access of granule g happens before what the fiber does next
    struct {
        const volatile void *address;
        uint32_t carries;            // what an acquire of this atomic lets a fiber know
    } location[LOCATIONS];
} world;

// An atomic of the core outside the world: its value is put back for each run.
static struct stray {
    volatile void *address;
    size_t bytes;
    uint64_t first; // at the start of the run
} strays[LOCATIONS];
static size_t stray_count;

static const struct scenario *scenario;
static unsigned script_at[FIBERS];
static int current = NOBODY;
static bool tracing;
static bool set_up; // the scenario's setup has passed
static jmp_buf on_failure;
static char failure[256];

static struct {
    uint8_t fiber;
    uint8_t others; // that could have gone instead and have not been tried, a bit each
} path[STEPS_MAX];
static size_t depth;

__attribute__((format(printf, 1, 2))) static _Noreturn void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure, sizeof failure, format, arguments);
    va_end(arguments);
    longjmp(on_failure, 1);
}

_Noreturn void explore_fatal(const char *what, const void *address);
_Noreturn void explore_assert_failed(const char *condition, const char *file, int line);
size_t explore_page_size(void);

void explore_fatal(const char *what, const void *address) {
    fail("%s: granule %td", what, ((const unsigned char *)address - world.memory) / MB_GRANULE);
}
void explore_assert_failed(const char *condition, const char *file, int line) {
    fail("%s:%d: assertion %s", file, line, condition);
}
size_t explore_page_size(void) { return scenario->page_bytes; }

// --- fibers ---------------------------------------------------------------------------------------------------------

static struct fiber {
    jmp_buf resume;
    ucontext_t context;
    size_t live_bytes;       // of the stack, at its upper end: the fiber's state
    struct mb_heap *self;    // its mb_heap_self
    bool done;
    _Alignas(16) unsigned char stack[STACK_BYTES];
} fibers[FIBERS];

static jmp_buf scheduler;

__attribute__((noinline)) static void pause_here(void) {
    unsigned char mark[16];
    struct fiber *fiber = &fibers[current];
    __asm__ volatile("" : : "r"(mark) : "memory");
    fiber->live_bytes = (size_t)(fiber->stack + STACK_BYTES - mark);
    fiber->self = mb_heap_self;
    if (_setjmp(fiber->resume) == 0) _longjmp(scheduler, 1);
}

static void step(unsigned index) {
    current = (int)index;
    mb_heap_self = fibers[index].self;
    if (_setjmp(scheduler) == 0) _longjmp(fibers[index].resume, 1);
    current = NOBODY;
}

static void run_script(unsigned index);

static void fiber_main(void) {
    unsigned index = (unsigned)current;
    pause_here();
    run_script(index);
    fibers[index].done = true;
    for (;;) pause_here();
}

static void start_fiber(unsigned index) {
    struct fiber *fiber = &fibers[index];
    memset(fiber, 0, sizeof *fiber);
    bool has_heap = strchr(scenario->heapless, (char)('0' + index)) == NULL;
    mb_heap_self = has_heap ? &world.heaps[index] : (struct mb_heap *)(uintptr_t)&mb_heap_empty;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber->context, fiber_main, 0);
    current = (int)index;
    if (_setjmp(scheduler) == 0) setcontext(&fiber->context);
    current = NOBODY;
    fiber->done = scenario->script[index] == NULL;
}

// --- atomics --------------------------------------------------------------------------------------------------------

static bool within(const volatile void *p, const void *start, size_t bytes) { return (uintptr_t)p - (uintptr_t)start < bytes; }

static uint64_t value_at(const volatile void *p, size_t bytes) {
    uint64_t value = 0;
    __builtin_memcpy(&value, (const void *)(uintptr_t)p, bytes);
    return value;
}

static void note_stray(const struct explore_access *access) {
    for (size_t i = 0; i < stray_count; i++)
        if (strays[i].address == access->address) return;
    if (stray_count == LOCATIONS) fail("more than %d atomics outside the world", LOCATIONS);
    strays[stray_count++] = (struct stray){(volatile void *)(uintptr_t)access->address, access->bytes,
                                           value_at(access->address, access->bytes)};
}

// Constants (the sentinel) are among the strays: only what has changed is written.
static void set_stray(const struct stray *stray, uint64_t value) {
    if (value_at(stray->address, stray->bytes) != value)
        memcpy((void *)(uintptr_t)stray->address, &value, stray->bytes);
}

static const char *unit_field(size_t offset) {
    static const struct {
        size_t offset;
        const char *name;
    } fields[] = {{offsetof(struct mb_unit, shared.remote), "remote"}, {offsetof(struct mb_unit, shared.home), "home"},
                  {offsetof(struct mb_unit, shared.suspect), "suspect"}, {offsetof(struct mb_unit, slab.owner), "owner"},
                  {offsetof(struct mb_unit, slab.used), "used"}, {offsetof(struct mb_unit, slab.kind), "kind"},
                  {offsetof(struct mb_unit, slab.carved), "carved"}, {offsetof(struct mb_unit, slab.local), "local"}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].offset == offset) return fields[i].name;
    return "field";
}

static void trace(const struct explore_access *access) {
    static const char *const kinds[] = {"load", "store", "exchange"};
    char where[64] = "elsewhere";
    if (within(access->address, world.table, sizeof world.table)) {
        size_t offset = (size_t)((uintptr_t)access->address - (uintptr_t)world.table);
        snprintf(where, sizeof where, "unit %zu %s", offset / sizeof(struct mb_unit), unit_field(offset % sizeof(struct mb_unit)));
    } else if (within(access->address, &world.free_units, sizeof world.free_units)) {
        snprintf(where, sizeof where, "arena");
    }
    printf("  fiber %d  %-8s %-16s is %#llx  %s:%d\n", current, kinds[access->kind], where,
           (unsigned long long)value_at(access->address, access->bytes), access->file, access->line);
}

// Where no other order could make a difference: the blocks and the heaps are each touched by one thread at a time, or the
// checks would say so, and the process-wide words are constant here.
static bool is_private(const volatile void *p) {
    return within(p, world.memory, sizeof world.memory) || within(p, world.heaps, sizeof world.heaps) ||
           within(p, &mb_space, sizeof mb_space) || within(p, &mb_init_shared, sizeof mb_init_shared) ||
           within(p, &mb_fork_watch_shared, sizeof mb_fork_watch_shared) || within(p, &mb_sentinel, sizeof mb_sentinel);
}

void explore_before(struct explore_access access) {
    if (!within(access.address, &world, sizeof world)) note_stray(&access);
    if (current == NOBODY || is_private(access.address)) return;
    pause_here();
    if (tracing) trace(&access);
}

static uint32_t *carried_by(const volatile void *address) {
    for (size_t i = 0; i < LOCATIONS; i++) {
        if (world.location[i].address == NULL) world.location[i].address = address;
        if (world.location[i].address == address) return &world.location[i].carries;
    }
    fail("more than %d atomics", LOCATIONS);
}

static bool acquires(int order) { return order != memory_order_relaxed && order != memory_order_release; }
static bool releases(int order) { return order >= memory_order_release; }

void explore_after(const volatile void *address, enum explore_kind kind, int order) {
    if (current == NOBODY || is_private(address)) return;
    uint32_t *carries = carried_by(address);
    uint32_t *knows = &world.knows[current];
    if (kind != EXPLORE_STORE && acquires(order)) *knows |= *carries;
    if (kind == EXPLORE_STORE) *carries = releases(order) ? *knows : 0;
    if (kind == EXPLORE_EXCHANGE && releases(order)) *carries |= *knows;
    // The plain accesses that follow a change of ownership may come later than others' steps.
    if (kind == EXPLORE_EXCHANGE && within(address, world.table, sizeof world.table)) pause_here();
}

// --- the arena ------------------------------------------------------------------------------------------------------

static void arena_step(void) {
    EXPLORE_BEFORE(&world.free_units, EXPLORE_EXCHANGE);
    EXPLORE_AFTER(&world.free_units, EXPLORE_EXCHANGE, memory_order_acq_rel);
}

bool mb_arena_take(size_t units, size_t align_units, struct mb_span *out) {
    (void)align_units;
    arena_step();
    if (units != 1) fail("a span of %zu units", units);
    if (world.free_units == 0) return false;
    out->first = (size_t)__builtin_ctzll(world.free_units);
    world.free_units &= world.free_units - 1;
    out->units = 1;
    out->zero = false;
    return true;
}

void mb_arena_give(size_t first, size_t units) {
    arena_step();
    if (units != 1 || first >= UNITS || (world.free_units >> first & 1) != 0) fail("unit %zu given back twice", first);
    for (size_t g = first * GRANULES_PER_UNIT; g < (first + 1) * GRANULES_PER_UNIT; g++)
        if (world.live[g] != 0) fail("unit %zu given back while granule %zu is live", first, g);
    if (world.table[first].slab.kind != MB_UNIT_NONE) fail("unit %zu given back with its descriptor set", first);
    world.free_units |= UINT64_C(1) << first;
}

size_t mb_arena_units(void) { return UNITS; }

void *mb_arena_metadata(size_t bytes, size_t align) {
    size_t at = mb_align_up(world.metadata_used, align);
    if (at + bytes > METADATA_BYTES) return NULL;
    world.metadata_used = at + bytes;
    return world.metadata + at;
}

// --- operations -----------------------------------------------------------------------------------------------------

static size_t granule_of(const unsigned char *p) { return (size_t)(p - world.memory) / MB_GRANULE; }

// The block is used by the current fiber: what was done with it before must be known to have happened.
static void touch(size_t first, size_t count) {
    if (current == NOBODY) return;
    uint32_t bits = ((1u << count) - 1) << first;
    if ((world.knows[current] & bits) != bits) fail("granule %zu: not ordered after its last use", first);
    for (unsigned i = 0; i < FIBERS; i++) world.knows[i] &= ~bits;
    for (size_t i = 0; i < LOCATIONS; i++) world.location[i].carries &= ~bits;
    world.knows[current] |= bits;
}

static unsigned char *allocate(size_t bytes) {
    unsigned char *p = mb_malloc(bytes);
    if (p == NULL) return NULL;
    if (!within(p, world.memory, sizeof world.memory) || (size_t)(p - world.memory) % MB_GRANULE != 0)
        fail("malloc returned %p", (void *)p);
    size_t first = granule_of(p);
    for (size_t g = 0; g < GRANULES; g++)
        if (world.live[g] != 0 && g < first + bytes / MB_GRANULE && g + world.live[g] > first) fail("granule %zu handed out twice", first);
    world.live[first] = (uint8_t)(bytes / MB_GRANULE);
    touch(first, bytes / MB_GRANULE);
    memset(p, 0x40 + (int)first, bytes);
    return p;
}

static void release(unsigned char *p) {
    if (p == NULL) return; // a malloc that found no memory
    size_t first = granule_of(p);
    size_t count = world.live[first];
    if (count == 0) fail("the script frees granule %zu twice", first);
    touch(first, count);
    for (size_t i = 0; i < count * MB_GRANULE; i++)
        if (p[i] != 0x40 + first) fail("granule %zu changed while live", first);
    world.live[first] = 0;
    mb_free(p);
}

static void keep(unsigned index, unsigned char *p) {
    if (world.owned[index] == PRESETS) fail("script too long");
    world.own[index][world.owned[index]++] = p;
}

static unsigned char *newest(unsigned index) {
    if (world.owned[index] == 0) fail("the script has no block");
    return world.own[index][--world.owned[index]];
}

static void put_cell(unsigned index) {
    EXPLORE_BEFORE(&world.put, EXPLORE_EXCHANGE);
    world.cell[world.put++] = newest(index);
    EXPLORE_AFTER(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
}

static void get_cell(unsigned index) {
    world.waits[index] = true;
    EXPLORE_BEFORE(&world.put, EXPLORE_EXCHANGE);
    world.waits[index] = false;
    EXPLORE_AFTER(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
    release(world.cell[world.got++]);
}

static void leave_thread(void) {
    struct mb_heap *heap = mb_heap_self;
    mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_departed;
    mb_own_release_all(heap);
}

static void run_operation(unsigned index, char operation) {
    switch (operation) {
    case 'm': keep(index, allocate(16)); break;
    case 'M': keep(index, allocate(32)); break;
    case 'S': release(allocate(48)); break;
    case 'f': release(newest(index)); break;
    case 'p': put_cell(index); break;
    case 'g': get_cell(index); break;
    case 't': mb_background_claim_all(); break;
    case 'x': leave_thread(); break;
    default: release(world.preset[operation - '0']); break;
    }
}

static void run_script(unsigned index) {
    for (; scenario->script[index][script_at[index]] != '\0'; script_at[index]++)
        run_operation(index, scenario->script[index][script_at[index]]);
}

// --- the end of a run -----------------------------------------------------------------------------------------------

static size_t times_listed(const struct mb_unit *unit, uint64_t word, uintptr_t p) {
    uintptr_t start = mb_slab_start(unit);
    return (size_t)mb_slab_chain_holds(unit, mb_link_decode(unit->slab.local), p) +
           (size_t)mb_slab_chain_holds(unit, mb_remote_head_address(word, start), p);
}

static void check_slab(const struct mb_unit *unit) {
    uint64_t word = mb_remote_load(unit);
    uint32_t live = 0;
    if (mb_remote_state(word) != MB_SLAB_UNOWNED) fail("unit %zu in state %d at the end", mb_unit_index(unit), mb_remote_state(word));
    for (uint32_t i = 0; i < unit->slab.carved; i++) {
        uintptr_t p = mb_slab_start(unit) + (uintptr_t)i * unit->slab.block_bytes;
        bool is_live = world.live[granule_of((unsigned char *)p)] != 0;
        if (times_listed(unit, word, p) + is_live != 1) fail("granule %zu lost or listed twice", granule_of((unsigned char *)p));
        live += is_live;
    }
    if (mb_slab_used(&unit->slab) - mb_remote_count(word) != live) fail("unit %zu counts %u used", mb_unit_index(unit), mb_slab_used(&unit->slab));
    if (live == 0) fail("unit %zu is empty and was not given back", mb_unit_index(unit));
}

static void check_units(void) {
    for (size_t i = 0; i < UNITS; i++) {
        bool is_free = (world.free_units >> i & 1) != 0;
        if (is_free != (world.table[i].slab.kind == MB_UNIT_NONE)) fail("unit %zu lost", i);
        if (!is_free) check_slab(&world.table[i]);
    }
}

// All threads leave; then the live blocks are freed one by one, and the last of each slab must bring it home.
static void check_end(void) {
    for (unsigned i = 0; i < FIBERS; i++) mb_own_release_all(&world.heaps[i]);
    mb_background_claim_all();
    check_units();
    mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_departed;
    for (size_t g = 0; g < GRANULES; g++)
        if (world.live[g] != 0) release(world.memory + g * MB_GRANULE);
    check_units();
}

// --- the search -----------------------------------------------------------------------------------------------------

static uint64_t mix_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 32;
}

static uint64_t mix(uint64_t hash, const void *p, size_t bytes) {
    const unsigned char *at = p;
    uint64_t word;
    for (; bytes >= 8; at += 8, bytes -= 8) {
        __builtin_memcpy(&word, at, 8);
        hash = mix_word(hash, word);
    }
    return bytes == 0 ? hash : mix_word(hash, value_at(at, bytes));
}

// Of a heap only what three classes use; its counters steer nothing in so short a life.
static uint64_t mix_heap(uint64_t hash, const struct mb_heap *heap) {
    enum { USED = 3 };
    hash = mix(hash, heap->head, USED * sizeof heap->head[0]);
    hash = mix(hash, heap->current, USED * sizeof heap->current[0]);
    hash = mix(hash, heap->fresh, USED * sizeof heap->fresh[0]);
    hash = mix(hash, heap->ready, USED * sizeof heap->ready[0]);
    hash = mix(hash, heap->waiting, USED * sizeof heap->waiting[0]);
    return mix(hash, heap->spare_rings, sizeof heap->spare_rings);
}

static uint64_t hash_state(void) {
    uint64_t hash = mix(UINT64_C(0x243f6a8885a308d3), &world, offsetof(struct world, heaps));
    hash = mix(hash, world.metadata, offsetof(struct world, location) - offsetof(struct world, metadata));
    for (unsigned i = 0; i < FIBERS; i++) hash = mix_heap(hash, &world.heaps[i]);
    hash = mix(hash, script_at, sizeof script_at);
    for (unsigned i = 0; i < FIBERS; i++) {
        const struct fiber *fiber = &fibers[i];
        hash = mix(hash, fiber->resume, sizeof fiber->resume);
        hash = mix(hash, &fiber->self, sizeof fiber->self);
        hash = mix(hash, &fiber->done, sizeof fiber->done);
        hash = mix(hash, fiber->stack + STACK_BYTES - fiber->live_bytes, fiber->live_bytes);
    }
    for (size_t i = 0; i < stray_count; i++) {
        uint64_t value = value_at(strays[i].address, strays[i].bytes);
        if (value != strays[i].first) hash += mix_word(value, (uintptr_t)strays[i].address);
    }
    for (size_t i = 0; i < LOCATIONS && world.location[i].address != NULL; i++) // whichever was met first
        if (world.location[i].carries != 0) hash += mix_word(world.location[i].carries, (uintptr_t)world.location[i].address);
    return hash == 0 ? 1 : hash;
}

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
    return seen_insert(hash_state());
}

// --- states to come back to -----------------------------------------------------------------------------------------

static struct snapshot {
    struct world world;
    uint64_t strays[LOCATIONS];
    size_t stray_count; // those found later had their first value
    unsigned script_at[FIBERS];
    struct {
        unsigned char head[offsetof(struct fiber, stack)];
        unsigned char stack[SAVED_STACK_BYTES];
    } fibers[FIBERS];
} first_state, states[STEPS_MAX]; // states[i]: before step i of the path, where it has another choice

static void save(struct snapshot *to) {
    to->world = world;
    to->stray_count = stray_count;
    for (size_t i = 0; i < stray_count; i++) to->strays[i] = value_at(strays[i].address, strays[i].bytes);
    memcpy(to->script_at, script_at, sizeof script_at);
    for (unsigned i = 0; i < FIBERS; i++) {
        size_t bytes = fibers[i].live_bytes + STACK_SLACK;
        if (bytes > SAVED_STACK_BYTES) fail("a fiber's stack of %zu bytes", bytes);
        memcpy(to->fibers[i].head, &fibers[i], sizeof to->fibers[i].head);
        memcpy(to->fibers[i].stack, fibers[i].stack + STACK_BYTES - bytes, bytes);
    }
}

static void restore(const struct snapshot *from) {
    world = from->world;
    for (size_t i = 0; i < stray_count; i++)
        set_stray(&strays[i], i < from->stray_count ? from->strays[i] : strays[i].first);
    memcpy(script_at, from->script_at, sizeof script_at);
    for (unsigned i = 0; i < FIBERS; i++) {
        memcpy(&fibers[i], from->fibers[i].head, sizeof from->fibers[i].head);
        size_t bytes = fibers[i].live_bytes + STACK_SLACK;
        memcpy(fibers[i].stack + STACK_BYTES - bytes, from->fibers[i].stack, bytes);
    }
}

// --- the order of the search ----------------------------------------------------------------------------------------

static unsigned ready_fibers(void) {
    unsigned ready = 0;
    for (unsigned i = 0; i < FIBERS; i++)
        if (!fibers[i].done && !(world.waits[i] && world.got == world.put)) ready |= 1u << i;
    return ready;
}

static bool all_done(void) {
    for (unsigned i = 0; i < FIBERS; i++)
        if (!fibers[i].done) return false;
    return true;
}

static void push_choice(unsigned ready) {
    if (depth == STEPS_MAX) fail("more than %d steps", STEPS_MAX);
    unsigned fiber = (unsigned)__builtin_ctz(ready);
    path[depth].fiber = (uint8_t)fiber;
    path[depth].others = (uint8_t)(ready & (ready - 1));
    if (path[depth].others != 0) save(&states[depth]);
    depth++;
    step(fiber);
}

// Goes on from where the path ends until nothing new can come. True if the run came to its end.
static bool go_on(void) {
    while (see()) {
        unsigned ready = ready_fibers();
        if (ready == 0 && !all_done()) fail("all fibers wait");
        if (ready == 0) {
            check_end();
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
    path[depth - 1].fiber = (uint8_t)__builtin_ctz(others);
    path[depth - 1].others = (uint8_t)(others & (others - 1));
    restore(&states[depth - 1]);
    step(path[depth - 1].fiber);
    return true;
}

static void replay(void) {
    restore(&first_state);
    for (size_t i = 0; i < depth; i++) step(path[i].fiber);
}

// --- a scenario -----------------------------------------------------------------------------------------------------

static void set_up_heap(struct mb_heap *heap) {
    for (unsigned c = 0; c < MB_CLASSES; c++) heap->head[c] = (uintptr_t)&mb_sentinel;
    for (unsigned i = 0; i < MB_SMALL_GRANULES; i++) heap->class_of[i] = (uint8_t)mb_class_of((size_t)i * MB_GRANULE);
}

static void set_up_world(void) {
    memset(&world, 0, sizeof world);
    world.free_units = (1u << UNITS) - 1;
    for (unsigned i = 0; i < FIBERS; i++) set_up_heap(&world.heaps[i]);
    for (unsigned i = 0; i < FIBERS; i++) world.knows[i] = UINT32_MAX;
    mb_space.base = (uintptr_t)world.memory;
    mb_space.table = world.table;
    mb_space.bytes = sizeof world.memory;
    atomic_store_explicit(&mb_init_shared.stage, MB_INIT_READY, memory_order_relaxed);
}

static void run_setup(void) {
    mb_heap_self = &world.heaps[0];
    for (const char *at = scenario->setup; *at != '\0'; at++) {
        bool is_malloc = *at == 'm' || *at == 'M';
        if (is_malloc) world.preset[world.presets++] = allocate(*at == 'm' ? 16 : 32);
        else run_operation(0, *at);
    }
}

static void begin_scenario(void) {
    for (size_t i = 0; i < stray_count; i++) set_stray(&strays[i], strays[i].first);
    stray_count = 0;
    set_up = false;
    set_up_world();
    run_setup();
    for (size_t i = 0; i < stray_count; i++) strays[i].first = value_at(strays[i].address, strays[i].bytes);
    memset(script_at, 0, sizeof script_at);
    for (unsigned i = 0; i < FIBERS; i++) start_fiber(i);
    save(&first_state);
    depth = 0;
    set_up = true;
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
    } while (turn_back());
    printf("explore: %-32s %9zu states, %8zu runs, %6zu ends\n", scenario->name, seen.count, runs, ends);
    fflush(stdout);
}

// Called after a failure: the same steps again, told.
static void tell(void) {
    static char reason[sizeof failure];
    memcpy(reason, failure, sizeof reason);
    printf("explore: FAIL \"%s\" (setup %s): %s\n", scenario->name, scenario->setup, reason);
    fflush(stdout);
    if (!set_up) return;
    tracing = true;
    if (setjmp(on_failure) == 0) {
        replay();
        if (all_done()) check_end();
    }
    printf("explore: %s\n", failure);
}

static bool run_scenario(const struct scenario *s) {
    scenario = s;
    if (setjmp(on_failure) == 0) {
        search();
        return true;
    }
    current = NOBODY;
    tell();
    return false;
}

int main(int argc, char **argv) {
    static const uint64_t random[3] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x94d049bb133111eb)};
    mb_link_key_init(random);
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0) continue;
        if (!run_scenario(&scenarios[i])) return 1;
    }
    return 0;
}
