#include "core/insight/count.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "core/guarded/guarded.h"
#include "core/heap/heaps.h"
#include "core/insight/residency.h"
#include "core/large/large_keep.h"
#include "core/large/outside.h"
#include "core/layout/slab.h"
#include "core/region/arena.h"
#include "core/region/large_record.h"
#include "core/region/pieces.h"
#include "core/small/commons.h"
#include "platform/os.h"

// Who walks writes into the heaps what they hold. 0: nobody; else the process id: a forked child need not wait for its parent's walk.
static struct {
    _Atomic uint32_t walker;
    _Atomic uint64_t walked_at; // ns, relaxed; by the walker
} count_shared;

// A large block: where it begins, where it and what it has end.
struct block {
    uintptr_t begin, live_end, end;
    bool kept;
};

struct walk {
    struct mb_count *out;
    struct mb_residency residency;
    bool threads;       // this walk writes into the heaps
    struct block block; // the last one
    size_t end;         // units
};

// Bytes of [begin, end), offsets in a unit, on pages of the set.
static size_t on_pages(uint32_t pages, size_t begin, size_t end) {
    size_t page = mb_os_page_size(), bytes = 0;
    for (size_t p = begin / page; p * page < end; p++) {
        if ((pages >> p & 1) != 0) bytes += mb_min((p + 1) * page, end) - mb_max(p * page, begin);
    }
    return bytes;
}

struct slab_look {
    struct mb_slab_bits bits;
    uint32_t block_bytes, carved, capacity;
};

static struct slab_look look_at_slab(const struct mb_unit *unit) {
    struct slab_look look = {
        .bits = mb_slab_bits(unit),
        .block_bytes = MB_PEEK(unit->slab.block_bytes),
        .carved = MB_PEEK(unit->slab.carved),
        .capacity = MB_PEEK(unit->slab.capacity),
    };
    if (look.carved > look.bits.words * 64) look.carved = look.bits.words * 64; // another slab meanwhile
    return look;
}

static uint64_t live_bits(const struct slab_look *look, uint32_t word) {
    return mb_slab_full_word(look->carved, word) & ~(mb_free_bits(&look->bits, word) | mb_remote_bits(&look->bits, word));
}

static size_t live_on_pages(const struct slab_look *look, uint32_t pages) {
    size_t bytes = 0;
    for (uint32_t w = 0; w * 64 < look->carved; w++) {
        for (uint64_t live = live_bits(look, w); live != 0; live &= live - 1) {
            size_t begin = (size_t)(w * 64 + mb_ctz64(live)) * look->block_bytes;
            bytes += on_pages(pages, begin, mb_min(begin + look->block_bytes, MB_UNIT_BYTES));
        }
    }
    return bytes;
}

static uint32_t count_live(const struct slab_look *look) {
    uint32_t live = 0;
    for (uint32_t w = 0; w * 64 < look->carved; w++) live += mb_popcount64(live_bits(look, w));
    return live;
}

static uint32_t all_pages(void) { return (uint32_t)mb_bit_range(0, (unsigned)(MB_UNIT_BYTES / mb_os_page_size())); }

static size_t less(size_t a, size_t b) { return a > b ? a - b : 0; }

// The heap that has the slab, if a thread's.
static struct mb_heap *holder(const struct mb_unit *unit) {
    return MB_PEEK(unit->slab.owner) != NULL ? atomic_load_explicit(&unit->shared.home, memory_order_relaxed) : NULL;
}

static void add_held(const struct mb_unit *unit, size_t free_bytes) {
    struct mb_heap *heap = holder(unit);
    if (heap != NULL && !mb_commons_is(heap)) atomic_fetch_add_explicit(&heap->told_shared.free_bytes, free_bytes, memory_order_relaxed);
}

static void count_slab(struct walk *walk, const struct mb_unit *unit) {
    struct mb_statistics *all = &walk->out->all;
    struct slab_look look = look_at_slab(unit);
    unsigned class_index = MB_PEEK(unit->slab.class_index);
    if (look.block_bytes == 0 || class_index >= MB_CLASSES) return;
    uint32_t pages = mb_residency_unit(&walk->residency, mb_unit_address(mb_unit_index(unit)));
    if (!walk->residency.measured) pages &= ~atomic_load_explicit(&unit->shared.purged_pages, memory_order_relaxed);
    uint32_t live = count_live(&look), shared_pages = pages & ~mb_slab_free_pages(unit, mb_os_page_size());
    size_t there = on_pages(pages, 0, MB_UNIT_BYTES), beside = on_pages(shared_pages, 0, MB_UNIT_BYTES);
    size_t touched = pages == all_pages() ? (size_t)live * look.block_bytes : live_on_pages(&look, pages);
    size_t tail = on_pages(shared_pages, mb_min((size_t)look.capacity * look.block_bytes, MB_UNIT_BYTES), MB_UNIT_BYTES);
    struct mb_class_statistics *of_class = &walk->out->of_class[class_index];
    of_class->slabs++;
    of_class->live_blocks += live;
    of_class->free_blocks += look.carved - live;
    of_class->resident_bytes += there;
    of_class->live_resident_bytes += touched;
    all->live_blocks += live;
    all->live_bytes += (size_t)live * look.block_bytes;
    all->free_block_bytes += (size_t)(look.carved - live) * look.block_bytes;
    all->live_resident_bytes += touched;
    all->tail_bytes += tail;
    all->idle_page_bytes += there - beside;
    all->part_free_bytes += less(less(beside, touched), tail);
    if (walk->threads) add_held(unit, less(there, touched));
}

static void add_block(struct walk *walk, const struct mb_slab *large) {
    struct mb_statistics *all = &walk->out->all;
    uintptr_t start = (uintptr_t)mb_large_start(large);
    size_t bytes = MB_PEEK(large->large_bytes);
    walk->block =
        (struct block){start, start + bytes, start + ((size_t)MB_PEEK(large->large_pieces) << MB_PIECE_SHIFT), mb_large_is_kept(large)};
    if (walk->block.kept) return;
    all->live_blocks++, all->large_live_blocks++;
    all->live_bytes += bytes, all->large_live_bytes += bytes;
}

static size_t resident(struct walk *walk, uintptr_t begin, uintptr_t end) {
    return begin < end ? mb_residency_bytes(&walk->residency, begin, end) : 0;
}

// What of the last block lies in [begin, end).
static size_t count_block_in(struct walk *walk, uintptr_t begin, uintptr_t end) {
    struct mb_statistics *all = &walk->out->all;
    const struct block *block = &walk->block;
    size_t used = resident(walk, mb_max(begin, block->begin), mb_min(end, block->live_end));
    size_t tail = resident(walk, mb_max(begin, block->live_end), mb_min(end, block->end));
    *(block->kept ? &all->kept_bytes : &all->live_resident_bytes) += used;
    all->tail_bytes += tail;
    return used + tail;
}

static size_t count_free_pieces(struct walk *walk, size_t index) {
    size_t bytes = 0;
    uintptr_t begin = mb_unit_address(index), piece = (uintptr_t)1 << MB_PIECE_SHIFT;
    for (uint32_t free = mb_pieces_free_in(index); free != 0; free &= free - 1) {
        uintptr_t at = begin + mb_ctz64(free) * piece;
        bytes += resident(walk, at, at + piece);
    }
    return bytes;
}

// The end of a large block, and at most two that begin. What else is not free is kept for everybody, or in a thread's hands.
static void count_large_unit(struct walk *walk, size_t index) {
    struct mb_unit *unit = mb_unit_at(index);
    uintptr_t begin = mb_unit_address(index), end = begin + MB_UNIT_BYTES;
    size_t used = count_block_in(walk, begin, end), free = count_free_pieces(walk, index);
    for (uint32_t half = 0; half < MB_UNIT_BYTES; half += MB_UNIT_BYTES / 2) {
        const struct mb_slab *large = mb_large_in_half(unit, half);
        if (large == NULL) continue;
        add_block(walk, large);
        used += count_block_in(walk, begin, end);
    }
    walk->out->all.dirty_bytes += free;
    walk->out->all.kept_bytes += less(resident(walk, begin, end), used + free);
}

static void count_free_unit(struct walk *walk, size_t index) {
    uintptr_t begin = mb_unit_address(index);
    if (mb_arena_is_warm(index)) walk->out->all.dirty_bytes += resident(walk, begin, begin + MB_UNIT_BYTES);
}

static size_t count_unit(struct walk *walk, size_t index) {
    const struct mb_unit *unit = mb_unit_at(index);
    enum mb_unit_kind kind = mb_unit_kind(unit);
    bool free = mb_arena_is_free(index);
    if (kind == MB_UNIT_HOLE) return mb_max(mb_units_for(MB_PEEK(unit->slab.large_pieces)), 1);
    if (kind == MB_UNIT_SLAB || free) walk->block = (struct block){0, 0, 0, false};
    if (kind == MB_UNIT_SLAB)
        count_slab(walk, unit);
    else if (free)
        count_free_unit(walk, index);
    else
        count_large_unit(walk, index);
    return 1;
}

static void add_outside(void *context, uintptr_t block, size_t bytes) {
    struct walk *walk = context;
    struct mb_statistics *all = &walk->out->all;
    mb_residency_init(&walk->residency, block + bytes);
    all->live_resident_bytes += mb_residency_bytes(&walk->residency, block, block + bytes);
    all->live_blocks++, all->large_live_blocks++;
    all->live_bytes += bytes, all->large_live_bytes += bytes, all->committed_bytes += bytes, all->reserved_bytes += bytes;
}

static void count_metadata(struct walk *walk) {
    struct mb_arena_range range[MB_ARENA_RANGES];
    mb_arena_ranges(range);
    for (unsigned i = 1; i < MB_ARENA_RANGES; i++) {
        mb_residency_init(&walk->residency, range[i].base + range[i].committed);
        walk->out->all.metadata_bytes += mb_residency_bytes(&walk->residency, range[i].base, range[i].base + range[i].committed);
    }
}

static void count_units(struct walk *walk) {
    mb_residency_init(&walk->residency, mb_unit_address(walk->end));
    for (size_t i = 0; i < walk->end;) i += count_unit(walk, i);
    walk->out->all.residency_measured = walk->residency.measured;
    mb_outside_visit(add_outside, walk);
    mb_guarded_count(&walk->out->all);
    count_metadata(walk);
}

// A slab that its first thread has not let go since it was made says nobody's name yet; the thread's heap knows it.
static uint64_t held_unnamed(const struct mb_slab *slab) {
    if (slab == NULL) return 0;
    const struct mb_unit *unit = mb_slab_unit(slab);
    if (mb_unit_kind(unit) != MB_UNIT_SLAB || atomic_load_explicit(&unit->shared.home, memory_order_relaxed) != NULL) return 0;
    struct slab_look look = look_at_slab(unit);
    return (uint64_t)(look.carved - mb_min(count_live(&look), look.carved)) * look.block_bytes;
}

static uint64_t held_by(const struct mb_heap *heap) {
    uint64_t held = atomic_load_explicit(&heap->told_shared.free_bytes, memory_order_relaxed);
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        const struct mb_slab *current = MB_PEEK(heap->slabs.current[c]), *fresh = MB_PEEK(heap->slabs.fresh[c]);
        held += held_unnamed(current) + (fresh != current ? held_unnamed(fresh) : 0);
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

static void count_heaps(struct walk *walk, bool again) {
    struct mb_statistics *all = &walk->out->all;
    for (struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) {
        uint64_t large = atomic_load_explicit(&heap->shared.large_served, memory_order_relaxed), small = mb_heap_served(heap);
        all->allocations += small + large;
        all->large_allocations += large;
        if (walk->threads && again) count_sleep(heap, small + large, all);
    }
    for (unsigned i = 0; i < MB_COMMONS; i++) all->allocations += mb_heap_served(mb_commons_at(i));
    all->threads = mb_heaps_in_use();
    all->threads_ever = mb_heaps_ever();
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
    all->frees = less(all->allocations, all->live_blocks);
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        struct mb_class_statistics *of_class = &out->of_class[c];
        uint64_t free_bytes = less(of_class->resident_bytes, of_class->live_resident_bytes);
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
    struct walk walk = {.out = out, .threads = begin_walk(), .end = mb_arena_units()};
    memset(out, 0, sizeof *out);
    out->all.size = sizeof out->all;
    if (walk.threads) clear_held();
    count_units(&walk);
    count_heaps(&walk, walk.threads && is_second_later());
    count_arena(&out->all);
    sum_up(out);
    if (walk.threads) atomic_store(&count_shared.walker, 0);
}
