#include "core/small/share.h"

#include <stdatomic.h>

#include "core/heap/heaps.h"
#include "core/region/purge.h"
#include "core/small/commons.h"
#include "core/small/own.h"
#include "platform/bits.h"
#include "platform/os.h"
#include "platform/thread.h"

enum {
    SHARE_BLOCKS = 8,
    SHARE_BLOCKS_MANY = 32,
    CROWD_HEAPS = 64,          // from which on a class must be in use to have slabs
    MANY_HEAPS = 16,           // from which on pages are counted
    OWN_BYTES_A_CPU = 8 << 20, // of slabs of blocks from MB_LONG_FROM bytes on, all threads together
    CPUS_MIN = 2,
    COUNT_CALLS = 32, // slow calls between two counts of what a heap has, where it would be too much
};

static struct {
    _Atomic uint32_t cpus; // the highest processor seen, and one more; any thread, relaxed
} share_shared;

static uint32_t cpus_seen(void) {
    uint32_t seen = atomic_load_explicit(&share_shared.cpus, memory_order_relaxed);
    uint32_t here = mb_cpu_now() + 1;
    if (here > seen && here <= MB_CPU_UNKNOWN) atomic_store_explicit(&share_shared.cpus, here, memory_order_relaxed);
    return (uint32_t)mb_max(seen, CPUS_MIN);
}

// About what a class's slabs may hold of pages when its blocks are free: one slab that blocks are taken from, and one
// to carve. Short blocks lie in a few pages (core/small/mask.h).
static uint32_t cost_of(unsigned class_index) {
    uint32_t bytes = mb_class_bytes(class_index);
    if (bytes < MB_LONG_FROM) return 0;
    return bytes < 1024 ? 16 << 10 : bytes < 4096 ? 48 << 10 : 2 * MB_UNIT_BYTES;
}

static bool has_slab(const struct mb_heap *heap, unsigned class_index) {
    return heap->slabs.current[class_index] != NULL || heap->slabs.fresh[class_index] != NULL;
}

// Counts again, without the slabs that were given up since the last time.
static void count_own(struct mb_heap *heap) {
    heap->own_bytes = 0;
    for (unsigned c = 0; c < MB_CLASSES; c++) heap->own_bytes += has_slab(heap, c) ? cost_of(c) : 0;
}

static uint32_t part_of_each(uint32_t heaps) { return (uint32_t)mb_min((uint64_t)OWN_BYTES_A_CPU * cpus_seen() / heaps, UINT32_MAX); }

// Most threads that come here have as many slabs as they may: they compute that number only from time to time.
static bool may_own(struct mb_heap *heap, unsigned class_index, uint32_t heaps) {
    uint32_t cost = cost_of(class_index);
    bool looks = heap->slow_calls % COUNT_CALLS == 0;
    if (cost == 0) return true;
    if (!looks && heap->own_part != 0 && heap->own_bytes + cost > heap->own_part) return false;
    heap->own_part = part_of_each(heaps);
    if (looks && heap->own_bytes + cost > heap->own_part) count_own(heap);
    return heap->own_bytes + cost <= heap->own_part;
}

bool mb_share_is_common(struct mb_heap *heap, unsigned class_index) {
    uint32_t heaps = mb_heaps_in_use();
    if (heaps < 2) return false;
    if (heap->borrowed[class_index] < (heaps < CROWD_HEAPS ? SHARE_BLOCKS : SHARE_BLOCKS_MANY)) {
        heap->borrowed[class_index]++;
        return true;
    }
    if (!may_own(heap, class_index, heaps)) return true;
    heap->own_bytes += cost_of(class_index);
    return false;
}

// --- the review ------------------------------------------------------------------------------------------------------

// Each block that is handed out changes it, as good as always.
static uint16_t fingerprint(const struct mb_heap *heap, unsigned class_index) {
    uint64_t mask = heap->front.mask[class_index] ^ (uintptr_t)heap->front.word[class_index] << 8;
    return (uint16_t)(mask * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

static bool is_empty(const struct mb_slab *slab) { return slab == NULL || mb_slab_all_free(mb_slab_unit(slab)); }

// A heap that adopts a slab with live blocks may hand out blocks next to them for the first time: on the same pair of
// cache lines, unless all blocks fill whole pairs.
static bool may_go(const struct mb_heap *heap, unsigned class_index) {
    const struct mb_class_slabs *slabs = &heap->slabs;
    return mb_class_bytes(class_index) % MB_LINE_PAIR == 0 ||
           (is_empty(slabs->current[class_index]) && is_empty(slabs->fresh[class_index]));
}

static void review_class(struct mb_heap *heap, unsigned class_index) {
    if (!has_slab(heap, class_index)) {
        heap->borrowed[class_index] /= 2;
        return;
    }
    uint16_t now = fingerprint(heap, class_index);
    if (now == heap->seen[class_index] && may_go(heap, class_index)) {
        mb_own_release_class(heap, class_index);
        heap->borrowed[class_index] = 0;
    } else {
        heap->seen[class_index] = now;
    }
}

void mb_share_review(struct mb_heap *heap) {
    if (mb_heaps_in_use() < MANY_HEAPS) return;
    for (unsigned c = 0; c < MB_CLASSES; c++) review_class(heap, c);
    count_own(heap);
}

// --- used pages ------------------------------------------------------------------------------------------------------

void mb_share_unit_taken(struct mb_slab *slab, uint32_t block_bytes) {
    if (block_bytes >= MB_LONG_FROM || mb_heaps_in_use() < MANY_HEAPS) return;
    if (mb_os_purge((void *)mb_slab_start(mb_slab_unit(slab)), MB_UNIT_BYTES) != 0) return;
    mb_purge_note(MB_UNIT_BYTES);
    slab->warm = false;
}
