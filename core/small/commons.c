#include "core/heap/heaps.h"
#include "core/small/commons.h"

#include <stdatomic.h>
#include <string.h>

#include "core/small/own.h"
#include "platform/bits.h"
#include "platform/os.h"
#include "platform/thread.h"

enum { SHARE_BLOCKS = 8, MOMENT = 32, PATIENCE_NS = 5000000 };

enum { FREE = 0, TAKEN = 1, WAITED_FOR = 2 };

static struct {
    _Atomic uint32_t state; // changed by any thread: taking acquires, leaving releases
    struct mb_heap heap;    // of who has taken it
} commons_shared;

static bool enter(void) {
    uint32_t seen = atomic_load_explicit(&commons_shared.state, memory_order_relaxed);
    return seen == FREE &&
           atomic_compare_exchange_strong_explicit(&commons_shared.state, &seen, TAKEN, memory_order_acquire, memory_order_relaxed);
}

static bool enter_to_be_waited_for(void) {
    return atomic_exchange_explicit(&commons_shared.state, WAITED_FOR, memory_order_acquire) == FREE;
}

// Who runs is through in a moment. Who has been stopped by the scheduler goes on sooner when the others sleep.
static bool enter_patiently(void) {
    for (unsigned i = 0; i < MOMENT; i++) {
        if (enter()) return true;
        mb_cpu_pause();
    }
    if (enter_to_be_waited_for()) return true;
    mb_os_wait(&commons_shared.state, WAITED_FOR, PATIENCE_NS);
    return enter_to_be_waited_for();
}

static void leave(void) {
    if (atomic_exchange_explicit(&commons_shared.state, FREE, memory_order_release) == WAITED_FOR) mb_os_wake(&commons_shared.state, 1);
}

// Blocks of two threads must not share a pair of cache lines, so a block of the commons has whole pairs: the multiples of a pair are classes.
unsigned mb_commons_class_of(unsigned class_index) {
    return mb_class_of(mb_align_up(mb_class_bytes(class_index), MB_LINE_PAIR));
}

struct mb_heap *mb_commons_enter(struct mb_heap *heap, unsigned class_index) {
    struct mb_heap *commons = &commons_shared.heap;
    if (heap->borrowed[class_index] >= SHARE_BLOCKS || mb_heaps_in_use() < 2 || !enter_patiently()) return NULL;
    if (commons->token == NULL) {
        mb_heap_set_up(commons);
        commons->token = commons; // no thread's: all frees are remote
        memset(commons->borrowed, SHARE_BLOCKS, sizeof commons->borrowed);
    }
    heap->borrowed[class_index]++;
    return commons;
}

void mb_commons_leave(void) { leave(); }

void mb_commons_release(void) {
    if (!enter()) return;
    if (commons_shared.heap.token != NULL) mb_own_release_all(&commons_shared.heap);
    leave();
}

const struct mb_heap *mb_commons_heap(void) { return &commons_shared.heap; }

uint64_t mb_commons_served(void) {
    return atomic_load_explicit(&commons_shared.heap.shared.blocks_served, memory_order_relaxed);
}

void mb_commons_recover(void) {
    uint64_t served = mb_commons_served();
    memset(&commons_shared.heap, 0, sizeof commons_shared.heap);
    atomic_store_explicit(&commons_shared.heap.shared.blocks_served, served, memory_order_relaxed);
    atomic_store_explicit(&commons_shared.state, FREE, memory_order_relaxed);
}
