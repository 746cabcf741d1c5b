#include "core/large/large_keep.h"
#include "core/heap/heaps.h"

#include <stdint.h>

#include "core/heap/large_cache.h"
#include "core/heap/large_length.h"
#include "core/large/large_quick.h"
#include "core/region/arena.h"
#include "core/told/report.h"

// Before the arena grows so many heaps are looked at, in turn: with a walk over all of them, thousands, each large
// block would pay. A tick has more time.
enum { FLUSHED_HEAPS = 64, AGED_HEAPS = 1024 };

// With more heaps what sixteen blocks in each take adds up: 16 threads that use blocks of up to 500 KB peak at 190 MB
// instead of 168.
enum { SHORT_HEAPS = 4 };

// A heap of so few keeps so much when the arena grows for a block of up to 512 KiB: a working set of such blocks, of
// lengths that differ, needs some to choose from.
enum { STAYING_PIECES = 1 << 20 >> MB_PIECE_SHIFT };

static struct turn_shared {
    _Atomic(struct mb_heap *) next; // to be looked at; any thread, relaxed: two may look at the same ones. NULL: the first
} flush_turn, age_turn;

struct mb_large_keep_shared mb_large_keep_shared;
static struct mb_large_cache_shared everybodys_shared;

// --- the owner's ----------------------------------------------------------------------------------------------------

static bool take_of(struct mb_heap *heap, size_t pieces, size_t most, size_t *first) {
    return pieces <= most && mb_large_cache_take(&heap->shared.kept[mb_large_own_set(pieces)], pieces, most, first);
}

// A block that is a little longer is in the next cache, or in the same one.
struct mb_slab *mb_large_take_own(struct mb_heap *heap, const struct mb_large_extent *extent) {
    size_t first, length = extent->bytes >> MB_PIECE_SHIFT;
    if (!take_of(heap, length, extent->most, &first) && !take_of(heap, mb_large_length(length), extent->most, &first)) return NULL;
    struct mb_slab *large = mb_large_of_piece(first);
    mb_large_unkeep_own(heap, large, mb_piece_address(first), MB_LARGE_KEPT);
    return large;
}

bool mb_large_keep_own(struct mb_heap *heap, struct mb_slab *large) {
    return mb_large_suits_own(heap, large) && mb_large_keep_quick(heap, large);
}

static void let_heaps_keep(size_t pieces_max) {
    if (atomic_load_explicit(&mb_large_keep_shared.own_pieces_max, memory_order_relaxed) == pieces_max) return;
    atomic_store_explicit(&mb_large_keep_shared.own_pieces_max, pieces_max, memory_order_relaxed);
}

// --- everybody's ----------------------------------------------------------------------------------------------------

struct mb_slab *mb_large_take_everybodys(const struct mb_large_extent *extent) {
    size_t first;
    if (!mb_large_cache_take(&everybodys_shared, extent->least, extent->most, &first)) return NULL;
    let_heaps_keep(MB_OWN_KEPT_PIECES); // what is kept is used again
    return mb_large_of_piece(first);
}

bool mb_large_put_everybodys(const struct mb_slab *large, size_t units_max) {
    size_t length = large->large_bytes >> MB_PIECE_SHIFT;
    return mb_large_cache_put(&everybodys_shared, mb_large_first(large), length, mb_pieces_in(units_max));
}

// --- giving back ----------------------------------------------------------------------------------------------------

static void give_first(size_t first) { mb_large_give(mb_large_of_piece(first)); }

static void give_kept_by_owner(size_t first) {
    struct mb_slab *large = mb_large_of_piece(first);
    void *p = mb_piece_address(first);
    if (!mb_large_is_kept(large)) mb_report_freed_at_once(p);
    mb_large_claim(large, p);
    mb_large_unmark(large, MB_LARGE_KEPT);
    give_first(first);
}

void mb_large_flush_heap(struct mb_heap *heap) {
    for (size_t set = 0; set < MB_LARGE_SETS; set++) mb_large_cache_flush(&heap->shared.kept[set], give_kept_by_owner);
}

static void flush_heaps(void) {
    atomic_store_explicit(&mb_large_keep_shared.heaps_may_keep, false, memory_order_relaxed);
    for (struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) mb_large_flush_heap(heap);
}

void mb_large_flush(void) {
    mb_large_cache_flush(&everybodys_shared, give_first);
    flush_heaps();
    mb_pieces_settle();
}

// The heaps whose turn it is.
static void some_heaps(struct turn_shared *turn, unsigned heaps, void (*treat)(struct mb_heap *heap)) {
    struct mb_heap *heap = atomic_load_explicit(&turn->next, memory_order_relaxed);
    for (unsigned i = 0; i < heaps && i < mb_heaps_ever(); i++) {
        if (heap == NULL) heap = mb_heaps_first();
        treat(heap);
        heap = mb_heaps_next(heap);
    }
    atomic_store_explicit(&turn->next, heap, memory_order_relaxed);
}

static void age_heap(struct mb_heap *heap) {
    for (size_t set = 0; set < MB_LARGE_SETS; set++) mb_large_cache_age(&heap->shared.kept[set], give_kept_by_owner);
}

void mb_large_age(void) {
    mb_large_cache_age(&everybodys_shared, give_first);
    some_heaps(&age_turn, AGED_HEAPS, age_heap);
}

static void flush_some_heaps(void) { some_heaps(&flush_turn, FLUSHED_HEAPS, mb_large_flush_heap); }

static void flush_heaps_in_turn(void) {
    if (!atomic_load_explicit(&mb_large_keep_shared.heaps_may_keep, memory_order_relaxed)) return;
    if (mb_heaps_ever() > FLUSHED_HEAPS)
        flush_some_heaps();
    else
        flush_heaps();
}

// A process with more heaps than that keeps what is in the caches for short blocks until these are emptied.
static void set_short_lengths(void) {
    size_t lengths = mb_heaps_in_use() <= SHORT_HEAPS ? MB_LARGE_SHORT_LENGTHS : 0;
    if (atomic_load_explicit(&mb_large_keep_shared.short_lengths, memory_order_relaxed) == lengths) return;
    atomic_store_explicit(&mb_large_keep_shared.short_lengths, lengths, memory_order_relaxed);
}

static size_t kept_pieces(const struct mb_heap *heap) {
    size_t pieces = 0;
    for (size_t set = 0; set < MB_LARGE_SETS; set++) pieces += mb_large_cache_pieces(&heap->shared.kept[set]);
    return pieces;
}

bool mb_large_may_stay(const struct mb_heap *heap) {
    set_short_lengths();
    bool few = atomic_load_explicit(&mb_large_keep_shared.short_lengths, memory_order_relaxed) != 0;
    return few && kept_pieces(heap) <= STAYING_PIECES;
}

void mb_large_flush_to_grow(struct mb_heap *heap, size_t units) {
    set_short_lengths();
    mb_large_cache_flush(&everybodys_shared, give_first);
    mb_large_flush_heap(heap);
    if (mb_arena_warm_free_units() >= units) return;
    flush_heaps_in_turn();
    if (mb_pieces_warm_units() >= units) mb_pieces_settle_some(units);
}

size_t mb_large_kept_at_hand(void) {
    bool some = atomic_load_explicit(&mb_large_keep_shared.heaps_may_keep, memory_order_relaxed) && mb_heaps_ever() <= FLUSHED_HEAPS;
    return some ? mb_large_kept_units() : mb_units_for(mb_large_cache_pieces(&everybodys_shared));
}

void mb_large_flush_at_hand(void) {
    mb_large_cache_flush(&everybodys_shared, give_first);
    flush_heaps_in_turn();
    let_heaps_keep(0);
}

size_t mb_large_kept_units(void) {
    size_t pieces = mb_large_cache_pieces(&everybodys_shared);
    for (struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) pieces += kept_pieces(heap);
    return mb_units_for(pieces);
}

static void recover_half(struct mb_unit *unit, uint32_t offset) {
    struct mb_slab *large = mb_large_in_half(unit, offset);
    if (large != NULL && mb_large_is_kept(large) && MB_PEEK(large->owner) != mb_owner_token()) give_kept_by_owner(mb_large_first(large));
}

// The unit in which the last block that begins in this one ends; 0: none begins.
static size_t covered_to(struct mb_unit *unit) {
    const struct mb_slab *large = mb_large_in_half(unit, MB_UNIT_BYTES / 2);
    if (large == NULL) large = mb_large_in_half(unit, 0);
    return large == NULL ? 0 : (mb_large_first(large) + large->large_pieces) / MB_UNIT_PIECES;
}

static size_t kept_in_half(struct mb_unit *unit, uint32_t offset) {
    struct mb_slab *large = mb_large_in_half(unit, offset);
    return large != NULL && mb_large_is_kept(large);
}

static size_t blocks_marked_kept(void) {
    size_t kept = 0;
    for (size_t i = mb_arena_next_other(0), next; i != MB_NO_UNIT; i = mb_arena_next_other(next)) {
        next = mb_max(i + 1, covered_to(mb_unit_at(i)));
        kept += kept_in_half(mb_unit_at(i), 0) + kept_in_half(mb_unit_at(i), MB_UNIT_BYTES / 2);
    }
    return kept;
}

static size_t blocks_in_caches(void) {
    size_t blocks = 0;
    for (struct mb_heap *heap = mb_heaps_first(); heap != NULL; heap = mb_heaps_next(heap)) {
        for (unsigned i = 0; i < MB_LARGE_SETS * MB_LARGE_SLOTS; i++) {
            blocks += mb_large_cache_look(&heap->shared.kept[i / MB_LARGE_SLOTS], i % MB_LARGE_SLOTS) != 0;
        }
    }
    return blocks;
}

// Finds blocks that an absent thread was about to put into its cache or had just taken out: they are marked but in no
// cache. If there is none, the absent threads' caches stay as they are, since emptying them copies pages: that is done
// when a heap is taken over or memory is needed.
void mb_large_recover(void) {
    mb_large_cache_flush(&everybodys_shared, give_first);
    if (blocks_marked_kept() == blocks_in_caches()) return;
    mb_large_flush();
    for (size_t i = mb_arena_next_other(0), next; i != MB_NO_UNIT; i = mb_arena_next_other(next)) {
        next = mb_max(i + 1, covered_to(mb_unit_at(i)));
        recover_half(mb_unit_at(i), 0);
        recover_half(mb_unit_at(i), MB_UNIT_BYTES / 2);
    }
}
