// Keeping a large block of the thread's own heap and taking one: allocating and freeing one buffer again and again, in
// a few dozen instructions. What is kept, and for how long: core/large/large_keep.h.
//
// Who: the heap's thread.
#ifndef MB_CORE_LARGE_LARGE_QUICK_H
#define MB_CORE_LARGE_LARGE_QUICK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/heap/large_cache.h"
#include "core/heap/large_length.h"
#include "core/heap/self.h"
#include "core/large/large_keep.h"
#include "core/large/large_span.h"
#include "core/region/large_record.h"
#include "core/told/report.h"
#include "platform/compiler.h"

// How long a block is that needs `more` + 1 pieces, and which of a heap's caches it is kept in.
MB_INLINE struct mb_large_place mb_large_own_place(size_t more) {
    size_t lengths = atomic_load_explicit(&mb_large_keep_shared.short_lengths, memory_order_relaxed);
    struct mb_large_place at = mb_large_place_of(more, lengths);
    if (MB_UNLIKELY(at.set == MB_LARGE_LONG_SET)) at.pieces = mb_large_length(more);
    return at;
}
MB_INLINE size_t mb_large_own_set(size_t pieces) { return mb_large_own_place(pieces - 1).set; }

// Clears `flags` of a block that was just taken out of the heap's cache. Ends the process if its descriptor says that
// it has been freed a second time meanwhile.
MB_INLINE void mb_large_unkeep_own(const struct mb_heap *heap, struct mb_slab *large, const void *p, uint32_t flags) {
    if (MB_UNLIKELY(!mb_large_is_kept(large) || MB_PEEK(large->owner) != heap->token)) mb_report_freed_at_once(p);
    mb_large_unmark(large, flags);
}

// Whether the heap may keep a block that is being freed: false when another thread made it, it is too long, or has a
// flag that the long way of free looks at. The caller has made sure that the program has not changed the pages' state
// (mprotect and the like).
MB_INLINE bool mb_large_suits_own(const struct mb_heap *heap, const struct mb_slab *large) {
    if (MB_PEEK(large->owner) != heap->token) return false;
    if ((MB_PEEK(large->large_flags) & (MB_LARGE_KEPT | MB_LARGE_MOVED | MB_LARGE_GUARD_FAR)) != 0) return false;
    return large->large_pieces <= atomic_load_explicit(&mb_large_keep_shared.own_pieces_max, memory_order_relaxed);
}

// Puts a block that suits into one of the heap's caches. False, and nothing has changed: it is full.
MB_INLINE bool mb_large_keep_in(struct mb_large_cache_shared *kept, struct mb_slab *large, size_t length) {
    _Atomic uint64_t *slot = mb_large_cache_room_own(kept);
    if (slot == NULL) return false;
    mb_large_set_flags(large, MB_PEEK(large->large_flags) | MB_LARGE_KEPT);
    atomic_store_explicit(slot, mb_large_entry(mb_large_first(large), length), memory_order_release);
    if (!atomic_load_explicit(&mb_large_keep_shared.heaps_may_keep, memory_order_relaxed)) {
        atomic_store_explicit(&mb_large_keep_shared.heaps_may_keep, true, memory_order_relaxed);
    }
    return true;
}

// The same with the cache for its length.
MB_INLINE bool mb_large_keep_quick(struct mb_heap *heap, struct mb_slab *large) {
    size_t length = large->large_bytes >> MB_PIECE_SHIFT;
    return mb_large_keep_in(&heap->shared.kept[mb_large_own_set(length)], large, length);
}

MB_INLINE void mb_large_note_served(struct mb_heap *heap) {
    uint64_t served = atomic_load_explicit(&heap->shared.large_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.large_served, served + 1, memory_order_relaxed);
}

// A slot of the heap's caches with a block of the length that one of `more` + 1 pieces has, and what the slot said but
// for the bits `unlike`. NULL: there is none.
MB_INLINE _Atomic uint64_t *mb_large_find_length(struct mb_heap *heap, size_t more, uint64_t unlike, uint64_t *seen) {
    struct mb_large_place at = mb_large_own_place(more);
    struct mb_large_cache_shared *kept = &heap->shared.kept[at.set];
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        *seen = mb_large_cache_look(kept, i);
        if ((*seen & ~unlike) >> MB_LARGE_LENGTH_SHIFT == at.pieces) return &kept->slot[i];
    }
    return NULL;
}

// The same for a request of `bytes` (> 0): exactly its length, kept since the last tick / the next longer length, if
// that may serve as well, or exactly its length and kept before the tick.
MB_INLINE _Atomic uint64_t *mb_large_find_same(struct mb_heap *heap, size_t bytes, uint64_t *seen) {
    return mb_large_find_length(heap, (bytes - 1) >> MB_PIECE_SHIFT, 0, seen);
}
MB_INLINE _Atomic uint64_t *mb_large_find_next(struct mb_heap *heap, size_t bytes, uint64_t *seen) {
    size_t more = (bytes - 1) >> MB_PIECE_SHIFT, length = mb_large_length(more);
    bool suits = mb_large_length(length) <= mb_large_longest_for(more + 1);
    _Atomic uint64_t *slot = suits ? mb_large_find_length(heap, length, MB_LARGE_OLD, seen) : NULL;
    return slot != NULL ? slot : mb_large_find_length(heap, more, MB_LARGE_OLD, seen);
}

// Whether these find all that may serve; of the longer lengths there may be others.
MB_INLINE bool mb_large_finds_all(size_t bytes) { return mb_large_own_place((bytes - 1) >> MB_PIECE_SHIFT).set != MB_LARGE_LONG_SET; }

// Takes the block with this record out of the slot where it was seen; the block is live again. False: another thread
// has taken it.
MB_INLINE bool mb_large_take_found(struct mb_heap *heap, _Atomic uint64_t *slot, uint64_t seen, struct mb_slab *large) {
    if (MB_UNLIKELY(!mb_large_cache_empty(slot, seen))) return false;
    mb_large_unkeep_own(heap, large, mb_piece_address(mb_large_entry_first(seen)), MB_LARGE_KEPT | MB_LARGE_UNTOUCHED | MB_LARGE_STEPS);
    mb_large_note_served(heap);
    return true;
}

#endif
