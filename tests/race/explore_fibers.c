// What: the explorer's fibers (stacks that are switched by setjmp and longjmp and entered once by setcontext), the two
// functions that every atomic access of the explored code calls (explore_atomics.h), and snapshots of everything that
// steps change.
//
// Invariant: the state of a fiber is the live part of its stack, its registers at the last pause, its mb_heap_self, and
// the world.
#include "tests/race/explore.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "core/process/fork.h"
#include "core/process/init.h"

int current = NOBODY;
struct mb_heap *more_heaps;
struct part script_parts[PARTS];
bool tracing;

// An atomic of the core outside the world: its value is put back for each run.
static struct stray {
    volatile void *address;
    size_t bytes;
    uint64_t first; // at the start of the run
} strays[STRAYS];
static size_t stray_count;

// --- fibers ---------------------------------------------------------------------------------------------------------

static struct fiber {
    jmp_buf resume;
    ucontext_t context;
    size_t live_bytes;          // of the stack, at its upper end: the fiber's state
    struct mb_heap *self;       // its mb_heap_self
    struct explore_access next; // what it is about to do; no address: no access
    bool done;
    _Alignas(16) unsigned char stack[STACK_BYTES];
} fibers[FIBERS];

static jmp_buf scheduler;

__attribute__((noinline)) static void pause_before(struct explore_access access) {
    unsigned char mark[16];
    struct fiber *fiber = &fibers[current];
    __asm__ volatile("" : : "r"(mark) : "memory");
    fiber->live_bytes = (size_t)(fiber->stack + STACK_BYTES - mark);
    fiber->self = mb_heap_self;
    fiber->next = access;
    if (_setjmp(fiber->resume) == 0) _longjmp(scheduler, 1);
}

static void pause_here(void) { pause_before((struct explore_access){0}); }

void fiber_pause(void) {
    if (current != NOBODY) pause_here();
}

unsigned fiber_picks(unsigned index) { return fibers[index].next.address == NULL ? 1 : memory_picks(index, &fibers[index].next); }

void fiber_step(unsigned choice) {
    unsigned index = choice / PICKS;
    current = (int)index;
    memory_pick(choice % PICKS);
    mb_heap_self = fibers[index].self;
    if (_setjmp(scheduler) == 0) _longjmp(fibers[index].resume, 1);
    current = NOBODY;
}

static void fiber_main(void) {
    unsigned index = (unsigned)current;
    const char *script = scenario->script[index];
    pause_here();
    for (; script[world.script_at[index]] != '\0'; world.script_at[index]++) script_operation(index, script[world.script_at[index]]);
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

void fibers_start(void) {
    for (unsigned i = 0; i < FIBERS; i++) start_fiber(i);
}

bool fiber_is_done(unsigned index) { return fibers[index].done; }

// --- atomics --------------------------------------------------------------------------------------------------------

bool within(const volatile void *p, const void *start, size_t bytes) { return (uintptr_t)p - (uintptr_t)start < bytes; }

uint64_t value_at(const volatile void *p, size_t bytes) {
    uint64_t value = 0;
    __builtin_memcpy(&value, (const void *)(uintptr_t)p, bytes);
    return value;
}

static void note_stray(const struct explore_access *access) {
    for (size_t i = 0; i < stray_count; i++)
        if (strays[i].address == access->address) return;
    if (stray_count == STRAYS) fail("more than %d atomics outside the world", STRAYS);
    strays[stray_count++] =
        (struct stray){(volatile void *)(uintptr_t)access->address, access->bytes, value_at(access->address, access->bytes)};
}

// Some of these are constants (the sentinel): only changed values are written.
static void set_stray(const struct stray *stray, uint64_t value) {
    if (value_at(stray->address, stray->bytes) != value) memcpy((void *)(uintptr_t)stray->address, &value, stray->bytes);
}

void fibers_forget_strays(void) {
    for (size_t i = 0; i < stray_count; i++) set_stray(&strays[i], strays[i].first);
    stray_count = 0;
    memory_forget();
}

const volatile void *fibers_stray(size_t i) { return i < stray_count ? strays[i].address : NULL; }

void fibers_begin(void) {
    for (size_t i = 0; i < stray_count; i++) strays[i].first = value_at(strays[i].address, strays[i].bytes);
    state_save(FIRST_STATE);
}

static void trace(const struct explore_access *access) {
    static const char *const kinds[] = {"load", "store", "exchange"};
    printf("  fiber %d  %-8s %-24s is %#llx  %s:%d\n", current, kinds[access->kind], place_name(access->address),
           (unsigned long long)value_at(access->address, access->bytes), access->file, access->line);
}

// The part of a heap that threads share: the slots of kept large blocks.
static bool is_in_heaps(const volatile void *p, const struct mb_heap *heaps, size_t count) {
    size_t offset = ((uintptr_t)p - (uintptr_t)heaps) % sizeof *heaps;
    return within(p, heaps, count * sizeof *heaps) && offset - offsetof(struct mb_heap, shared.kept) >= sizeof heaps->shared.kept;
}

// The blocks and the heaps are each touched by one thread at a time, or the checks would say so.
static bool is_private(const volatile void *p) {
    return within(p, world.memory, sizeof world.memory) || is_in_heaps(p, world.heaps, FIBERS) ||
           (more_heaps != NULL && is_in_heaps(p, more_heaps, MORE_HEAPS));
}

// No step of its own: the process-wide words are constant here, and what else is read outside the world without acquire
// (places of the pool, the helper's presence) is a hint that any value does for.
static bool is_quiet(const struct explore_access *access) {
    bool outside = !within(access->address, &world, sizeof world);
    return is_private(access->address) || within(access->address, &mb_space, sizeof mb_space) ||
           within(access->address, &mb_init_shared, sizeof mb_init_shared) ||
           within(access->address, &mb_fork_watch_shared, sizeof mb_fork_watch_shared) || script_is_constant(access->address) ||
           (outside && access->kind == EXPLORE_LOAD && access->order == memory_order_relaxed);
}

bool explore_before(struct explore_access access) {
    bool looks_on = current == NOBODY && access.kind == EXPLORE_LOAD;
    if (!within(access.address, &world, sizeof world) && !looks_on) note_stray(&access);
    if (current == NOBODY || is_quiet(&access)) {
        memory_pick(0);
        return false;
    }
    access.order = weaker(access.address, access.kind, access.order);
    pause_before(access);
    if (tracing) trace(&access);
    return !is_private(access.address) && memory_meet(&access);
}

void explore_read(const volatile void *address, void *value, size_t bytes, int order) {
    if (current != NOBODY && !is_private(address)) memory_read(address, value, bytes, order);
}

void explore_after(const volatile void *address, size_t bytes, enum explore_kind kind, int order) {
    if (current == NOBODY || is_private(address)) return;
    memory_written(address, bytes, kind, order);
    // The plain accesses that follow a change of ownership may come later than others' steps.
    if (kind == EXPLORE_EXCHANGE && within(address, world.table, sizeof world.table)) pause_here();
}

// --- the state as a number -------------------------------------------------------------------------------------------

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
    hash = mix(hash, heap->front.mask, USED * sizeof heap->front.mask[0]);
    hash = mix(hash, heap->front.word, USED * sizeof heap->front.word[0]);
    hash = mix(hash, heap->slabs.current, USED * sizeof heap->slabs.current[0]);
    hash = mix(hash, heap->slabs.fresh, USED * sizeof heap->slabs.fresh[0]);
    hash = mix(hash, &heap->shared.kept, sizeof heap->shared.kept);
    hash = mix(hash, &heap->queues, sizeof heap->queues);
    if (heap->queues == NULL) return hash;
    hash = mix(hash, heap->queues->of_class, USED * sizeof heap->queues->of_class[0]);
    return mix(hash, heap->queues->spare_rings, sizeof heap->queues->spare_rings);
}

uint64_t state_hash(void) {
    uint64_t hash = mix(UINT64_C(0x243f6a8885a308d3), &world, offsetof(struct world, heaps));
    hash = mix(hash, world.metadata, offsetof(struct world, place) - offsetof(struct world, metadata));
    for (unsigned i = 0; i < PARTS; i++) hash = mix(hash, script_parts[i].start, script_parts[i].bytes);
    for (unsigned i = 0; i < FIBERS; i++) hash = mix_heap(hash, &world.heaps[i]);
    for (unsigned i = 0; more_heaps != NULL && i < MORE_HEAPS; i++) hash = mix_heap(hash, &more_heaps[i]);
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
    hash += memory_hash();
    return hash == 0 ? 1 : hash;
}

// --- states to come back to -----------------------------------------------------------------------------------------

static struct snapshot {
    struct world world;
    struct mb_heap more_heaps[MORE_HEAPS];
    uint64_t strays[STRAYS];
    size_t stray_count; // those found later had their first value
    unsigned char parts[PARTS][PART_BYTES];
    struct {
        unsigned char head[offsetof(struct fiber, stack)];
        unsigned char stack[SAVED_STACK_BYTES];
    } fibers[FIBERS];
} states[STEPS_MAX + 1];

void state_save(size_t slot) {
    struct snapshot *to = &states[slot];
    to->world = world;
    if (more_heaps != NULL) memcpy(to->more_heaps, more_heaps, sizeof to->more_heaps);
    to->stray_count = stray_count;
    for (unsigned i = 0; i < PARTS; i++) memcpy(to->parts[i], script_parts[i].start, script_parts[i].bytes);
    for (size_t i = 0; i < stray_count; i++) to->strays[i] = value_at(strays[i].address, strays[i].bytes);
    for (unsigned i = 0; i < FIBERS; i++) {
        size_t bytes = fibers[i].live_bytes + STACK_SLACK;
        if (bytes > SAVED_STACK_BYTES) fail("a fiber's stack of %zu bytes", bytes);
        memcpy(to->fibers[i].head, &fibers[i], sizeof to->fibers[i].head);
        memcpy(to->fibers[i].stack, fibers[i].stack + STACK_BYTES - bytes, bytes);
    }
}

void state_restore(size_t slot) {
    const struct snapshot *from = &states[slot];
    world = from->world;
    for (unsigned i = 0; i < PARTS; i++) memcpy(script_parts[i].start, from->parts[i], script_parts[i].bytes);
    if (more_heaps != NULL) memcpy(more_heaps, from->more_heaps, sizeof from->more_heaps);
    for (size_t i = 0; i < stray_count; i++) set_stray(&strays[i], i < from->stray_count ? from->strays[i] : strays[i].first);
    for (unsigned i = 0; i < FIBERS; i++) {
        memcpy(&fibers[i], from->fibers[i].head, sizeof from->fibers[i].head);
        size_t bytes = fibers[i].live_bytes + STACK_SLACK;
        memcpy(fibers[i].stack + STACK_BYTES - bytes, from->fibers[i].stack, bytes);
    }
}
