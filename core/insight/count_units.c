// What: the part of a count that walks over the memory: slabs, large blocks, free units, blocks outside the arena,
// metadata.
// Who: the thread that counts, without locks.
#include "core/insight/count_walk.h"

#include <stdatomic.h>

#include "core/guarded/guarded.h"
#include "core/large/large_keep.h"
#include "core/large/outside.h"
#include "core/region/arena.h"
#include "core/region/large_record.h"
#include "core/region/pieces.h"
#include "core/small/commons.h"
#include "platform/os.h"

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

// The heap that has the slab, if a thread's.
static struct mb_heap *holder(const struct mb_unit *unit) {
    return MB_PEEK(unit->slab.owner) != NULL ? atomic_load_explicit(&unit->shared.home, memory_order_relaxed) : NULL;
}

static void add_held(const struct mb_unit *unit, size_t free_bytes) {
    struct mb_heap *heap = holder(unit);
    if (heap != NULL && !mb_commons_is(heap)) atomic_fetch_add_explicit(&heap->told_shared.free_bytes, free_bytes, memory_order_relaxed);
}

static void count_slab(struct mb_count_walk *walk, const struct mb_unit *unit) {
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
    all->part_free_bytes += mb_count_less(mb_count_less(beside, touched), tail);
    if (!mb_commons_has(unit)) all->remote_frees += mb_slab_count_remote(unit);
    if (walk->threads) add_held(unit, mb_count_less(there, touched));
}

static void add_block(struct mb_count_walk *walk, const struct mb_slab *large) {
    struct mb_statistics *all = &walk->out->all;
    uintptr_t start = (uintptr_t)mb_large_start(large);
    size_t bytes = MB_PEEK(large->large_bytes);
    walk->block = (struct mb_count_block){start, start + bytes, start + ((size_t)MB_PEEK(large->large_pieces) << MB_PIECE_SHIFT),
                                          mb_large_is_kept(large)};
    if (walk->block.kept) return;
    all->live_blocks++, all->large_live_blocks++;
    all->live_bytes += bytes, all->large_live_bytes += bytes;
}

static size_t resident(struct mb_count_walk *walk, uintptr_t begin, uintptr_t end) {
    return begin < end ? mb_residency_bytes(&walk->residency, begin, end) : 0;
}

// The part of the last block that lies in [begin, end).
static size_t count_block_in(struct mb_count_walk *walk, uintptr_t begin, uintptr_t end) {
    struct mb_statistics *all = &walk->out->all;
    const struct mb_count_block *block = &walk->block;
    size_t used = resident(walk, mb_max(begin, block->begin), mb_min(end, block->live_end));
    size_t tail = resident(walk, mb_max(begin, block->live_end), mb_min(end, block->end));
    *(block->kept ? &all->kept_bytes : &all->live_resident_bytes) += used;
    all->tail_bytes += tail;
    return used + tail;
}

static size_t count_free_pieces(struct mb_count_walk *walk, size_t index) {
    size_t bytes = 0;
    uintptr_t begin = mb_unit_address(index), piece = (uintptr_t)1 << MB_PIECE_SHIFT;
    for (uint32_t free = mb_pieces_free_in(index); free != 0; free &= free - 1) {
        uintptr_t at = begin + mb_ctz64(free) * piece;
        bytes += resident(walk, at, at + piece);
    }
    return bytes;
}

// The unit contains the end of one large block and the beginnings of at most two. Pieces that are neither free nor part
// of these are kept in a cache, or a thread is working on them.
static void count_large_unit(struct mb_count_walk *walk, size_t index) {
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
    walk->out->all.kept_bytes += mb_count_less(resident(walk, begin, end), used + free);
}

// A unit that nobody has used has pages, too, where the system gives huge ones by itself.
static void count_free_unit(struct mb_count_walk *walk, size_t index) {
    uintptr_t begin = mb_unit_address(index);
    if (walk->residency.measured || mb_arena_is_warm(index)) walk->out->all.dirty_bytes += resident(walk, begin, begin + MB_UNIT_BYTES);
}

static size_t count_unit(struct mb_count_walk *walk, size_t index) {
    const struct mb_unit *unit = mb_unit_at(index);
    enum mb_unit_kind kind = mb_unit_kind(unit);
    bool free = mb_arena_is_free(index);
    if (kind == MB_UNIT_HOLE) return mb_max(mb_units_for(MB_PEEK(unit->slab.large_pieces)), 1);
    if (kind == MB_UNIT_SLAB || free) walk->block = (struct mb_count_block){0, 0, 0, false};
    if (kind == MB_UNIT_SLAB)
        count_slab(walk, unit);
    else if (free)
        count_free_unit(walk, index);
    else
        count_large_unit(walk, index);
    return 1;
}

static void add_outside(void *context, uintptr_t block, size_t bytes) {
    struct mb_count_walk *walk = context;
    struct mb_statistics *all = &walk->out->all;
    mb_residency_init(&walk->residency, block + bytes);
    all->live_resident_bytes += mb_residency_bytes(&walk->residency, block, block + bytes);
    all->live_blocks++, all->large_live_blocks++;
    all->live_bytes += bytes, all->large_live_bytes += bytes, all->committed_bytes += bytes, all->reserved_bytes += bytes;
}

static void count_metadata(struct mb_count_walk *walk) {
    struct mb_arena_range range[MB_ARENA_RANGES];
    mb_arena_ranges(range);
    for (unsigned i = 1; i < MB_ARENA_RANGES; i++) {
        mb_residency_init(&walk->residency, range[i].base + range[i].committed);
        walk->out->all.metadata_bytes += mb_residency_bytes(&walk->residency, range[i].base, range[i].base + range[i].committed);
    }
}

void mb_count_units(struct mb_count_walk *walk) {
    mb_residency_init(&walk->residency, mb_unit_address(walk->end));
    for (size_t i = 0; i < walk->end;) i += count_unit(walk, i);
    walk->out->all.residency_measured = walk->residency.measured;
    mb_outside_visit(add_outside, walk);
    mb_guarded_count(&walk->out->all);
    count_metadata(walk);
}

uint64_t mb_count_held_unnamed(const struct mb_slab *slab) {
    if (slab == NULL) return 0;
    const struct mb_unit *unit = mb_slab_unit(slab);
    if (mb_unit_kind(unit) != MB_UNIT_SLAB || atomic_load_explicit(&unit->shared.home, memory_order_relaxed) != NULL) return 0;
    struct slab_look look = look_at_slab(unit);
    return (uint64_t)(look.carved - mb_min(count_live(&look), look.carved)) * look.block_bytes;
}
