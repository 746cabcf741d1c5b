#include "core/heap/heaps.h"

#include "core/heap/sampler.h"
#include "core/region/arena.h"
#include "platform/bits.h"
#include "platform/probe.h"

const char mb_orphanage;
struct mb_orphans_shared mb_orphans_shared;
const struct mb_heap mb_heap_empty;
const struct mb_heap mb_heap_departed;

MB_THREAD_LOCAL struct mb_heap *mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_empty;

struct mb_heaps_root_shared mb_heaps_root_shared;

static struct {
    _Atomic uint32_t in_use;       // steers the helper thread: core/process/background.c, start_helper
    _Atomic uint32_t ever;         // relaxed; a statistic
    _Atomic uint64_t remote_frees; // likewise, of slabs that went back and of large blocks
} heaps_shared;

static void register_heap(struct mb_heap *heap) {
    struct mb_heap *seen = atomic_load_explicit(&mb_heaps_root_shared.registered, memory_order_relaxed);
    do {
        atomic_store_explicit(&heap->shared.next_registered, seen, memory_order_relaxed);
    } while (
        !atomic_compare_exchange_weak_explicit(&mb_heaps_root_shared.registered, &seen, heap, memory_order_release, memory_order_relaxed));
    atomic_fetch_add_explicit(&heaps_shared.ever, 1, memory_order_relaxed);
}

void mb_heap_set_up(struct mb_heap *heap) {
    for (unsigned c = 0; c < MB_CLASSES; c++) heap->front.bytes[c] = mb_class_bytes(c);
    heap->calls_to_tick = MB_CALLS_A_TICK;
    heap->larges_to_tick = MB_CALLS_A_TICK;
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

uint64_t mb_heap_served(const struct mb_heap *heap) {
    uint64_t in_masks = 0, blocks = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        uint64_t mask = MB_PEEK(heap->front.mask[c]);
        if (mask != 0) in_masks += mb_popcount64(mask);
    }
    return blocks > in_masks ? blocks - in_masks : 0;
}

uint64_t mb_heap_refills(const struct mb_heap *heap) {
    uint64_t quick = (atomic_load_explicit(&heap->shared.ticks, memory_order_relaxed) + 1) * MB_CALLS_A_TICK - MB_PEEK(heap->calls_to_tick);
    return quick + atomic_load_explicit(&heap->shared.refills, memory_order_relaxed);
}

void mb_heaps_note_remote_frees(uint64_t blocks) { atomic_fetch_add_explicit(&heaps_shared.remote_frees, blocks, memory_order_relaxed); }

uint64_t mb_heaps_remote_frees(void) {
    uint64_t blocks = atomic_load_explicit(&heaps_shared.remote_frees, memory_order_relaxed);
    for (const struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap))
        blocks += atomic_load_explicit(&heap->shared.remote_frees, memory_order_relaxed);
    return blocks;
}

void mb_heap_drop_mask(struct mb_heap *heap, unsigned class_index) {
    uint64_t mask = heap->front.mask[class_index];
    if (mask == 0) return;
    MB_POKE(heap->front.mask[class_index], 0);
    unsigned blocks = mb_popcount64(mask);
    mb_sampler_put_back(heap, class_index, blocks);
    uint64_t served = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.blocks_served, served - blocks, memory_order_relaxed);
}

uint32_t mb_heaps_in_use(void) { return atomic_load(&heaps_shared.in_use); }
uint32_t mb_heaps_ever(void) { return atomic_load_explicit(&heaps_shared.ever, memory_order_relaxed); }

uint32_t mb_heaps_joined(void) {
    uint32_t in_use = atomic_fetch_add(&heaps_shared.in_use, 1) + 1;
    MB_PROBE2(thread_begin, in_use, (uintptr_t)mb_thread_token(NULL));
    return in_use;
}

void mb_heaps_left(void) {
    uint32_t in_use = atomic_fetch_sub(&heaps_shared.in_use, 1) - 1;
    MB_PROBE2(thread_end, in_use, (uintptr_t)mb_thread_token(NULL));
}
void mb_heaps_recover(uint32_t in_use) { atomic_store_explicit(&heaps_shared.in_use, in_use, memory_order_relaxed); }

struct mb_heap *mb_heaps_first(void) {
    return atomic_load_explicit(&mb_heaps_root_shared.registered, memory_order_acquire);
}
