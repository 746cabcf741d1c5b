#include "core/heap/commons.h"

#include <stdatomic.h>
#include <string.h>

#include "core/heap/own.h"
#include "core/heap/slow.h"
#include "core/heap/thread.h"

enum { SHARE_BLOCKS = 8 };

static struct {
    _Atomic uint32_t taken; // 1 while somebody is at it: set by exchange (acquire), cleared by him (release)
    struct mb_heap heap;    // whose `taken` is
} commons_shared;

static bool enter(void) { return atomic_exchange_explicit(&commons_shared.taken, 1, memory_order_acquire) == 0; }
static void leave(void) { atomic_store_explicit(&commons_shared.taken, 0, memory_order_release); }

void *mb_commons_take(struct mb_heap *heap, unsigned class_index) {
    struct mb_heap *commons = &commons_shared.heap;
    if (heap->borrowed[class_index] >= SHARE_BLOCKS || mb_thread_heaps_in_use() < 2 || !enter()) return NULL;
    if (commons->token == NULL) {
        mb_heap_set_up(commons);
        commons->token = commons; // no thread's: all frees are remote
        memset(commons->borrowed, SHARE_BLOCKS, sizeof commons->borrowed);
    }
    heap->borrowed[class_index]++;
    void *p = mb_heap_take_block(commons, class_index);
    leave();
    return p;
}

void mb_commons_release(void) {
    if (!enter()) return;
    if (commons_shared.heap.token != NULL) mb_own_release_all(&commons_shared.heap);
    leave();
}

uint64_t mb_commons_served(void) {
    return atomic_load_explicit(&commons_shared.heap.shared.blocks_served, memory_order_relaxed);
}

void mb_commons_recover(void) {
    uint64_t served = mb_commons_served();
    memset(&commons_shared.heap, 0, sizeof commons_shared.heap);
    atomic_store_explicit(&commons_shared.heap.shared.blocks_served, served, memory_order_relaxed);
    leave();
}
