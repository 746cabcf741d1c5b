#include "core/heap/commons.h"

#include <stdatomic.h>
#include <string.h>

#include "core/heap/own.h"
#include "core/heap/slow.h"
#include "core/heap/thread.h"
#include "platform/os.h"

enum { SHARE_BLOCKS = 8, COMMONS = 8, MOMENT = 32, PATIENCE_NS = 5000000 };

enum { FREE = 0, TAKEN = 1, WAITED_FOR = 2 };

struct commons_shared {
    _Atomic uint32_t state; // changed by any thread: taking acquires, leaving releases
    struct mb_heap heap;    // of who has taken it
};

static struct commons_shared commons_shared[COMMONS]; // what is never taken is never touched

static bool enter(struct commons_shared *commons) {
    uint32_t seen = atomic_load_explicit(&commons->state, memory_order_relaxed);
    return seen == FREE &&
           atomic_compare_exchange_strong_explicit(&commons->state, &seen, TAKEN, memory_order_acquire, memory_order_relaxed);
}

// All are in the hands of threads that the scheduler has stopped, or of as many processors: who waits lets the former go on.
static bool wait_for(struct commons_shared *commons) {
    if (atomic_exchange_explicit(&commons->state, WAITED_FOR, memory_order_acquire) == FREE) return true;
    mb_os_wait(&commons->state, WAITED_FOR, PATIENCE_NS);
    return atomic_exchange_explicit(&commons->state, WAITED_FOR, memory_order_acquire) == FREE;
}

// Who runs is through in a moment.
static bool enter_soon(struct commons_shared *commons) {
    for (unsigned i = 0; i < MOMENT; i++) {
        if (enter(commons)) return true;
        mb_cpu_pause();
    }
    return false;
}

// The first if it is to be had soon, so that the others stay empty as long as they can.
static struct commons_shared *enter_any(const struct mb_heap *heap) {
    if (enter_soon(&commons_shared[0])) return &commons_shared[0];
    for (unsigned i = 1; i < COMMONS; i++) {
        if (enter(&commons_shared[i])) return &commons_shared[i];
    }
    struct commons_shared *commons = &commons_shared[(uintptr_t)heap / sizeof *heap % COMMONS];
    return wait_for(commons) ? commons : NULL;
}

static void leave(struct commons_shared *commons) {
    if (atomic_exchange_explicit(&commons->state, FREE, memory_order_release) == WAITED_FOR) mb_os_wake(&commons->state, 1);
}

static void set_up(struct mb_heap *heap) {
    mb_heap_set_up(heap);
    heap->token = heap; // no thread's: all frees are remote
    memset(heap->borrowed, SHARE_BLOCKS, sizeof heap->borrowed);
}

void *mb_commons_take(struct mb_heap *heap, unsigned class_index) {
    if (heap->borrowed[class_index] >= SHARE_BLOCKS || mb_thread_heaps_in_use() < 2) return NULL;
    struct commons_shared *commons = enter_any(heap);
    if (commons == NULL) return NULL;
    if (commons->heap.token == NULL) set_up(&commons->heap);
    heap->borrowed[class_index]++;
    void *p = mb_heap_take_block(&commons->heap, class_index);
    leave(commons);
    return p;
}

void mb_commons_release(void) {
    for (unsigned i = 0; i < COMMONS; i++) {
        struct commons_shared *commons = &commons_shared[i];
        if (!enter(commons)) continue;
        if (commons->heap.token != NULL) mb_own_release_all(&commons->heap);
        leave(commons);
    }
}

uint64_t mb_commons_served(void) {
    uint64_t served = 0;
    for (unsigned i = 0; i < COMMONS; i++) {
        served += atomic_load_explicit(&commons_shared[i].heap.shared.blocks_served, memory_order_relaxed);
    }
    return served;
}

void mb_commons_recover(void) {
    uint64_t served = mb_commons_served();
    memset(commons_shared, 0, sizeof commons_shared);
    atomic_store_explicit(&commons_shared[0].heap.shared.blocks_served, served, memory_order_relaxed);
}
