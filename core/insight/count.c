// What: mb_count: begins the walk (core/insight/count_walk.h), counts heaps and threads, and adds up.
// Who: any thread, without locks.
#include "core/insight/count.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "core/heap/heaps.h"
#include "core/insight/count_walk.h"
#include "core/region/arena.h"
#include "core/small/commons.h"
#include "platform/os.h"

// One walk at a time writes into the heaps what they hold. 0: there is none; else the process id, so that a forked
// child does not wait for a walk of its parent's.
static struct {
    _Atomic uint32_t walker;
    _Atomic uint64_t walked_at; // ns, relaxed; by the walker
} count_shared;

static uint64_t held_by(const struct mb_heap *heap) {
    uint64_t held = atomic_load_explicit(&heap->told_shared.free_bytes, memory_order_relaxed);
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        const struct mb_slab *current = MB_PEEK(heap->slabs.current[c]), *fresh = MB_PEEK(heap->slabs.fresh[c]);
        held += mb_count_held_unnamed(current) + (fresh != current ? mb_count_held_unnamed(fresh) : 0);
    }
    return held;
}

static void count_sleep(struct mb_heap *heap, uint64_t now_served, struct mb_statistics *all) {
    uint64_t held = held_by(heap);
    all->top_thread_free_bytes = mb_max(all->top_thread_free_bytes, held);
    bool asleep = atomic_load_explicit(&heap->told_shared.served_before, memory_order_relaxed) == now_served + 1;
    atomic_store_explicit(&heap->told_shared.served_before, now_served + 1, memory_order_relaxed);
    if (!asleep || held == 0) return;
    all->sleeping_threads++;
    all->sleeping_free_bytes += held;
}

static void count_heaps(struct mb_count_walk *walk, bool again) {
    struct mb_statistics *all = &walk->out->all;
    for (struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) {
        uint64_t large = atomic_load_explicit(&heap->shared.large_served, memory_order_relaxed), small = mb_heap_served(heap);
        all->allocations += small + large;
        all->refills += mb_heap_refills(heap);
        all->large_allocations += large;
        if (walk->threads && again) count_sleep(heap, small + large, all);
    }
    for (unsigned i = 0; i < MB_COMMONS; i++) all->allocations += mb_heap_served(mb_commons_at(i));
    all->refills += mb_commons_refills();
    all->remote_frees += mb_heaps_remote_frees();
    all->threads = mb_heaps_in_use();
    all->threads_ever = mb_heaps_ever();
}

// Sorted, so that the one that holds least is the last.
static void insert(struct mb_thread_statistics *out, unsigned most, struct mb_thread_statistics one) {
    unsigned at = most;
    for (; at > 0 && (out[at - 1].thread == 0 || out[at - 1].free_bytes < one.free_bytes); at--) {
        if (at < most) out[at] = out[at - 1];
    }
    if (at < most) out[at] = one;
}

void mb_count_threads(struct mb_thread_statistics *out, unsigned most) {
    memset(out, 0, most * sizeof *out);
    for (const struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) {
        uint64_t large = atomic_load_explicit(&heap->shared.large_served, memory_order_relaxed);
        struct mb_thread_statistics one = {
            .thread = atomic_load_explicit(&heap->shared.thread, memory_order_relaxed),
            .free_bytes = held_by(heap),
            .allocations = mb_heap_served(heap) + large,
        };
        if (one.thread != 0) insert(out, most, one);
    }
}

static void clear_held(void) {
    for (struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) {
        atomic_store_explicit(&heap->told_shared.free_bytes, 0, memory_order_relaxed);
    }
}

static bool begin_walk(void) {
    uint32_t self = (uint32_t)mb_os_pid(), seen = atomic_load_explicit(&count_shared.walker, memory_order_relaxed);
    return seen != self && atomic_compare_exchange_strong(&count_shared.walker, &seen, self);
}

enum { SECOND_NS = 1000000000 };

// Whether what the heaps had served was noted a second ago or earlier, or never.
static bool is_second_later(void) {
    uint64_t now = mb_os_now_ns(), before = atomic_load_explicit(&count_shared.walked_at, memory_order_relaxed);
    if (before != 0 && now - before < SECOND_NS) return false;
    atomic_store_explicit(&count_shared.walked_at, now, memory_order_relaxed);
    return true;
}

static void sum_up(struct mb_count *out) {
    struct mb_statistics *all = &out->all;
    all->resident_bytes = all->live_resident_bytes + all->part_free_bytes + all->idle_page_bytes + all->kept_bytes + all->dirty_bytes +
                          all->tail_bytes + all->metadata_bytes;
    all->frees = mb_count_less(all->allocations, all->live_blocks);
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        struct mb_class_statistics *of_class = &out->of_class[c];
        uint64_t free_bytes = mb_count_less(of_class->resident_bytes, of_class->live_resident_bytes);
        of_class->block_bytes = mb_class_bytes(c);
        if (free_bytes <= all->top_class_free_bytes) continue;
        all->top_class_block_bytes = of_class->block_bytes;
        all->top_class_free_bytes = free_bytes;
    }
}

static void count_arena(struct mb_statistics *all) {
    all->committed_bytes += mb_arena_units() << MB_UNIT_SHIFT;
    all->reserved_bytes += mb_arena_reserved_bytes();
    all->spans_taken = mb_arena_spans_taken();
    all->purged_bytes = mb_arena_purged_bytes();
    all->fresh_bytes = mb_arena_fresh_bytes();
    all->page_faults = mb_os_page_faults();
}

void mb_count(struct mb_count *out) {
    struct mb_count_walk walk = {.out = out, .threads = begin_walk(), .end = mb_arena_units()};
    memset(out, 0, sizeof *out);
    out->all.size = sizeof out->all;
    if (walk.threads) clear_held();
    mb_count_units(&walk);
    count_heaps(&walk, walk.threads && is_second_later());
    count_arena(&out->all);
    sum_up(out);
    if (walk.threads) atomic_store(&count_shared.walker, 0);
}
