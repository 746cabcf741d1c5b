#include "core/small/commons.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "core/heap/heaps.h"
#include "core/small/own.h"
#include "platform/bits.h"
#include "platform/os.h"
#include "platform/thread.h"

enum { MOMENT = 32, PATIENCE = 100, PATIENCE_NS = 5000000 };

enum { FREE = 0, TAKEN = 1, WAITED_FOR = 2 };

// One for each processor, so that threads that run at the same time seldom meet in one.
enum { SHARDS = MB_COMMONS_SAMPLES, SHARDS_UNKNOWN = 4 };

struct gate_shared {
    _Atomic uint32_t state; // changed by any thread: taking acquires, leaving releases
    _Atomic bool used;      // set by the first who has taken it, relaxed
} MB_PAIR_ALIGNED;

static struct gate_shared gates_shared[MB_COMMONS];
static struct mb_heap heaps[MB_COMMONS]; // each of who has taken its gate

static bool enter(struct gate_shared *gate) {
    uint32_t seen = atomic_load_explicit(&gate->state, memory_order_relaxed);
    return seen == FREE && atomic_compare_exchange_strong_explicit(&gate->state, &seen, TAKEN, memory_order_acquire, memory_order_relaxed);
}

static bool enter_to_be_waited_for(struct gate_shared *gate) {
    return atomic_exchange_explicit(&gate->state, WAITED_FOR, memory_order_acquire) == FREE;
}

// If the holder is running, it leaves in a moment. If the scheduler has stopped it, it continues sooner when the others
// sleep. The limit on waiting is for a signal handler that has interrupted its own thread in here.
static bool enter_patiently(struct gate_shared *gate) {
    for (unsigned i = 0; i < MOMENT; i++) {
        if (enter(gate)) return true;
        mb_cpu_pause();
    }
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (enter_to_be_waited_for(gate)) return true;
        mb_os_wait(&gate->state, WAITED_FOR, PATIENCE_NS);
    }
    return enter_to_be_waited_for(gate);
}

static void leave(struct gate_shared *gate) {
    if (atomic_exchange_explicit(&gate->state, FREE, memory_order_release) == WAITED_FOR) mb_os_wake(&gate->state, 1);
}

static bool was_used(const struct gate_shared *gate) { return atomic_load_explicit(&gate->used, memory_order_relaxed); }

// Few threads share one: what lies in several is less densely packed.
static unsigned shard_here(const struct mb_heap *heap) {
    if (mb_heaps_in_use() < MB_COMMONS_APART) return 0;
    unsigned cpu = mb_cpu_now();
    return cpu < MB_CPU_UNKNOWN ? cpu % SHARDS : (unsigned)((uintptr_t)heap / sizeof *heap) % SHARDS_UNKNOWN;
}

// If another thread is in the nearest commons, enters another one that was used before.
static struct gate_shared *enter_any(const struct mb_heap *heap) {
    struct gate_shared *nearest = &gates_shared[shard_here(heap)];
    if (enter(nearest)) return nearest;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct gate_shared *other = &gates_shared[i];
        if (other != nearest && was_used(other) && enter(other)) return other;
    }
    return enter_patiently(nearest) ? nearest : NULL;
}

// The heap behind a gate, for the thread that has entered.
static struct mb_heap *behind(struct gate_shared *gate) {
    struct mb_heap *commons = &heaps[gate - gates_shared];
    if (!was_used(gate)) {
        mb_heap_set_up(commons);
        commons->token = commons; // no thread's: all frees are remote
        atomic_store_explicit(&gate->used, true, memory_order_relaxed);
    }
    return commons;
}

struct mb_heap *mb_commons_enter(const struct mb_heap *heap) {
    struct gate_shared *gate = enter_any(heap);
    return gate != NULL ? behind(gate) : NULL;
}

struct mb_heap *mb_commons_enter_samples(void) {
    struct gate_shared *gate = &gates_shared[MB_COMMONS_SAMPLES];
    return enter_patiently(gate) ? behind(gate) : NULL;
}

void mb_commons_leave(const struct mb_heap *commons) { leave(&gates_shared[commons - heaps]); }

bool mb_commons_is(const struct mb_heap *heap) { return (uintptr_t)heap - (uintptr_t)heaps < sizeof heaps; }

bool mb_commons_has(const struct mb_unit *unit) {
    const void *owner = MB_PEEK(unit->slab.owner);
    return mb_commons_is(owner != NULL ? owner : atomic_load_explicit(&unit->shared.home, memory_order_relaxed));
}

// Blocks of two threads must not share a pair of cache lines, so a block of the commons has whole pairs: the multiples
// of a pair are classes.
unsigned mb_commons_class_of(unsigned class_index) {
    uint32_t bytes = mb_class_bytes(class_index);
    return bytes % MB_LINE_PAIR == 0 ? class_index : mb_class_of(mb_align_up(bytes, MB_LINE_PAIR));
}

void mb_commons_release(void) {
    for (unsigned i = 0; i < MB_COMMONS; i++) {
        if (!was_used(&gates_shared[i]) || !enter(&gates_shared[i])) continue;
        mb_own_release_all(&heaps[i]);
        leave(&gates_shared[i]);
    }
}

static uint64_t served_by(const struct mb_heap *commons) {
    return atomic_load_explicit(&commons->shared.blocks_served, memory_order_relaxed);
}

// Nobody takes from one without a lock, so none is quick.
static uint64_t refills_of(const struct mb_heap *commons) { return atomic_load_explicit(&commons->shared.refills, memory_order_relaxed); }

const struct mb_heap *mb_commons_at(unsigned i) { return &heaps[i]; }

uint64_t mb_commons_served(void) {
    uint64_t served = 0;
    for (unsigned i = 0; i < MB_COMMONS; i++) served += was_used(&gates_shared[i]) ? served_by(&heaps[i]) : 0;
    return served;
}

uint64_t mb_commons_refills(void) {
    uint64_t refills = 0;
    for (unsigned i = 0; i < MB_COMMONS; i++) refills += refills_of(&heaps[i]);
    return refills;
}

// Makes the heap empty, as it was before a thread used it, except for its counts.
static void renew(struct mb_heap *commons) {
    uint64_t served = served_by(commons), refills = refills_of(commons);
    memset(commons, 0, sizeof *commons);
    mb_heap_set_up(commons);
    commons->token = commons;
    atomic_store_explicit(&commons->shared.blocks_served, served, memory_order_relaxed);
    atomic_store_explicit(&commons->shared.refills, refills, memory_order_relaxed);
}

void mb_commons_recover(void) {
    for (unsigned i = 0; i < MB_COMMONS; i++) {
        if (was_used(&gates_shared[i])) renew(&heaps[i]);
        atomic_store_explicit(&gates_shared[i].state, FREE, memory_order_relaxed);
    }
}
