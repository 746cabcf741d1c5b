// Large blocks that were freed a moment ago: who keeps them for whom, and until when.
//
// What: a block that the thread frees which made it stays in that thread's heap, marked MB_LARGE_KEPT, once something kept was used again; what
// another thread frees, and all before that, goes to a cache that is everybody's, its record MB_UNIT_NONE. Who finds no match and needs fresh
// memory empties the caches first, so nothing kept makes the heap larger (where there have been more than 64 heaps, 64 of them in turn).
// Nor does it outlive two ticks of the purge clock, malloc_trim, a shortage or its thread.
// Double frees: any second free sees KEPT or NONE. The owner's way has at most one atomic operation, the taking out of the cache; so of two
// threads that free the same block at the same moment the other one may miss KEPT, and claims the block. Then that claim, or what has
// become of the units since, stands in the descriptor, and whoever takes them out of the heap's cache finds it and ends the process.
// Who: any thread; what is named own, and mb_large_take_same, act for the calling thread's heap.
#ifndef MB_CORE_LARGE_LARGE_KEEP_H
#define MB_CORE_LARGE_LARGE_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/large_cache.h"
#include "core/heap/self.h"
#include "core/large/large_span.h"
#include "core/region/large_record.h"
#include "core/told/report.h"
#include "platform/compiler.h"

extern MB_HIDDEN struct mb_large_keep_shared {
    _Atomic size_t own_pieces_max MB_PAIR_ALIGNED; // the longest block that a heap keeps: 0 until what is kept has been used again; relaxed
    _Atomic bool heaps_may_keep;                   // a hint: set by who keeps, cleared by who flushes; relaxed
} mb_large_keep_shared;

// --- the short ways ---------------------------------------------------------------------------------------------------
//
// A buffer that is taken and given back again and again, in a few dozen instructions.

// The longest span that a heap keeps for its thread: of 4 MiB and a guard page.
enum { MB_OWN_KEPT_PIECES = (4 << 20 >> MB_PIECE_SHIFT) + MB_UNIT_PIECES };

MB_INLINE bool mb_large_is_kept(const struct mb_slab *large) {
    return mb_large_is_record(large) && (MB_PEEK(large->large_flags) & MB_LARGE_KEPT) != 0;
}

// The block has come out of the heap's cache, and loses these flags.
MB_INLINE void mb_large_unkeep_own(const struct mb_heap *heap, struct mb_slab *large, const void *p, uint32_t flags) {
    if (MB_UNLIKELY(!mb_large_is_kept(large) || MB_PEEK(large->owner) != heap->token)) mb_report_freed_at_once(p);
    mb_large_unmark(large, flags);
}

// A large block that is freed is kept, if the heap's thread has made it. False: it has not, or the block must go the other way. Its pages no program has
// changed. Any heap.
MB_INLINE bool mb_large_keep_own(struct mb_heap *heap, struct mb_slab *large) {
    if (MB_PEEK(large->owner) != heap->token) return false;
    uint32_t flags = MB_PEEK(large->large_flags);
    if ((flags & (MB_LARGE_KEPT | MB_LARGE_MOVED | MB_LARGE_GUARD_FAR)) != 0) return false;
    if (large->large_pieces > atomic_load_explicit(&mb_large_keep_shared.own_pieces_max, memory_order_relaxed)) return false;
    mb_large_set_flags(large, flags | MB_LARGE_KEPT);
    if (!mb_large_cache_put_own(&heap->shared.kept, mb_large_first(large), large->large_bytes >> MB_PIECE_SHIFT)) {
        mb_large_set_flags(large, flags);
        return false;
    }
    if (!atomic_load_explicit(&mb_large_keep_shared.heaps_may_keep, memory_order_relaxed)) {
        atomic_store_explicit(&mb_large_keep_shared.heaps_may_keep, true, memory_order_relaxed);
    }
    return true;
}

MB_INLINE void mb_large_note_served(struct mb_heap *heap) {
    uint64_t served = atomic_load_explicit(&heap->shared.large_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.large_served, served + 1, memory_order_relaxed);
}

// A block that the heap keeps and that is as many pages long as asked for, a live one again. NULL: none. Any heap; bytes > 0.
MB_INLINE void *mb_large_take_same(struct mb_heap *heap, size_t bytes) {
    struct mb_large_cache_shared *kept = &heap->shared.kept;
    uint64_t pieces = ((bytes - 1) >> MB_PIECE_SHIFT) + 1;
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        uint64_t seen = mb_large_cache_look(kept, i);
        if (seen >> MB_LARGE_LENGTH_SHIFT != pieces || !mb_large_cache_empty(kept, i, seen)) continue;
        size_t first = mb_large_entry_first(seen);
        void *p = mb_piece_address(first);
        mb_large_unkeep_own(heap, mb_large_of_piece(first), p, MB_LARGE_KEPT | MB_LARGE_UNTOUCHED | MB_LARGE_STEPS);
        mb_large_note_served(heap);
        return p;
    }
    return NULL;
}

// --- all ways -----------------------------------------------------------------------------------------------------------

// A kept block of so many bytes, or up to an eighth more, as a live block again (`heap` is the calling thread's) / as MB_UNIT_NONE; NULL: none.
struct mb_slab *mb_large_take_own(struct mb_heap *heap, size_t bytes);
struct mb_slab *mb_large_take_everybodys(size_t bytes);

// Keeps a block whose record says MB_UNIT_NONE for everybody, or says no: no slot, or more than `units_max` would be kept.
bool mb_large_put_everybodys(const struct mb_slab *large, size_t units_max);

// What is kept goes back to the arena: all of it (memory is short, or asked for), what has been kept for a tick, or one heap's.
void mb_large_flush(void);
void mb_large_age(void);
void mb_large_flush_heap(struct mb_heap *heap);
// Before the arena grows by so many units: what this heap and everybody keeps, and other heaps' if that is not enough.
void mb_large_flush_to_grow(struct mb_heap *heap, size_t units);

// What is kept now, in units / by everybody, and by heaps if there have been few.
size_t mb_large_kept_units(void);
size_t mb_large_kept_at_hand(void);
// These go back to the arena, and heaps keep no more until what is kept for everybody is used again.
void mb_large_flush_at_hand(void);

// In a forked child: what absent threads kept, and what they had in their hands.
void mb_large_recover(void);

#endif
