#include "core/heap/heaps.h"

#include "core/region/arena.h"

const char mb_orphanage;
const struct mb_heap mb_heap_empty;
const struct mb_heap mb_heap_departed;

MB_THREAD_LOCAL struct mb_heap *mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_empty;

static struct {
    _Atomic(struct mb_heap *) registered; // all heaps ever; pushed by any thread (release), read by any (acquire)
    _Atomic uint32_t in_use;              // steers the helper thread: core/process/background.c, start_helper
    _Atomic uint32_t ever;                // relaxed; a statistic
} heaps_shared;

static void register_heap(struct mb_heap *heap) {
    struct mb_heap *seen = atomic_load_explicit(&heaps_shared.registered, memory_order_relaxed);
    do {
        atomic_store_explicit(&heap->shared.next_registered, seen, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(&heaps_shared.registered, &seen, heap, memory_order_release,
                                                    memory_order_relaxed));
    atomic_fetch_add_explicit(&heaps_shared.ever, 1, memory_order_relaxed);
}

void mb_heap_set_up(struct mb_heap *heap) {
    for (unsigned c = 0; c < MB_CLASSES; c++) heap->front.bytes[c] = mb_class_bytes(c);
    heap->calls_to_tick = MB_CALLS_A_TICK;
    heap->clears_left = MB_CLEARS_FIRST;
    heap->clears_again = MB_CLEARS_FIRST;
    heap->purge_call_ns = MB_PURGE_CALL_NS_MAX;
}

struct mb_heap *mb_heap_new(void) {
    struct mb_heap *heap = mb_arena_metadata(sizeof *heap, MB_LINE_PAIR);
    if (heap == NULL) return NULL;
    mb_heap_set_up(heap);
    register_heap(heap);
    return heap;
}

uint32_t mb_heaps_in_use(void) { return atomic_load(&heaps_shared.in_use); }
uint32_t mb_heaps_ever(void) { return atomic_load_explicit(&heaps_shared.ever, memory_order_relaxed); }

uint32_t mb_heaps_joined(void) { return atomic_fetch_add(&heaps_shared.in_use, 1) + 1; }
void mb_heaps_left(void) { atomic_fetch_sub(&heaps_shared.in_use, 1); }
void mb_heaps_recover(uint32_t in_use) { atomic_store_explicit(&heaps_shared.in_use, in_use, memory_order_relaxed); }

struct mb_heap *mb_heaps_first(void) { return atomic_load_explicit(&heaps_shared.registered, memory_order_acquire); }
