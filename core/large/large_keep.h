// Large blocks that were freed a moment ago: who keeps them for whom, and until when.
//
// What: a block that the thread frees which made it stays in that thread's heap, marked MB_LARGE_KEPT, once something kept was used again; what
// another thread frees, and all before that, goes to a cache that is everybody's, its descriptor MB_UNIT_NONE. Who finds no match and needs fresh
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
#include "core/region/unit.h"
#include "core/told/report.h"
#include "platform/compiler.h"

extern MB_HIDDEN struct mb_large_keep_shared {
    _Atomic size_t own_units_max; // the longest block that a heap keeps: 0 until what is kept has been used again; relaxed
    _Atomic bool heaps_may_keep;  // a hint: set by who keeps, cleared by who flushes; relaxed
} mb_large_keep_shared;

// --- the short ways ---------------------------------------------------------------------------------------------------
//
// A buffer that is taken and given back again and again, in a few dozen instructions.

// The longest block that a heap keeps for its thread: 4 MiB and a guard page.
enum { MB_OWN_KEPT_UNITS = (4 << 20 >> MB_UNIT_SHIFT) + 1, MB_LEAST_PAGE = 4096 };

MB_INLINE bool mb_large_is_kept(const struct mb_unit *unit) {
    return mb_unit_kind(unit) == MB_UNIT_LARGE && (MB_PEEK(unit->slab.large_flags) & MB_LARGE_KEPT) != 0;
}

// The unit has come out of the heap's cache, and loses these flags.
MB_INLINE void mb_large_unkeep_own(const struct mb_heap *heap, struct mb_unit *unit, const void *p, uint32_t flags) {
    if (MB_UNLIKELY(!mb_large_is_kept(unit) || MB_PEEK(unit->slab.owner) != heap->token)) mb_report_freed(MB_OP_FREE, p);
    mb_large_unmark(&unit->slab, flags);
}

// What is freed is kept, if the unit is the first of a large block that the heap's thread has made and whose pages no program has changed. False: it is not
// that, or must go the other way. Any heap.
MB_INLINE bool mb_large_keep_own(struct mb_heap *heap, struct mb_unit *unit) {
    struct mb_slab *large = &unit->slab;
    if (mb_unit_kind(unit) != MB_UNIT_LARGE || MB_PEEK(large->owner) != heap->token) return false;
    uint32_t flags = MB_PEEK(large->large_flags);
    if ((flags & (MB_LARGE_KEPT | MB_LARGE_MOVED | MB_LARGE_GUARD_FAR)) != 0) return false;
    if (large->large_units > atomic_load_explicit(&mb_large_keep_shared.own_units_max, memory_order_relaxed)) return false;
    mb_large_set_flags(large, flags | MB_LARGE_KEPT);
    if (!mb_large_cache_put_own(&heap->shared.kept, mb_unit_index(unit), large->large_units)) {
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

// A block that the heap keeps and that is as many pages long as asked for, a live one again. NULL: none. Any heap; bytes > 0. What is read
// of a descriptor before the slot is emptied holds when it could be emptied: only this thread fills it.
MB_INLINE void *mb_large_take_same(struct mb_heap *heap, size_t bytes) {
    struct mb_large_cache_shared *kept = &heap->shared.kept;
    uint64_t units = ((bytes - 1) >> MB_UNIT_SHIFT) + 1;
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        uint64_t seen = mb_large_cache_look(kept, i);
        if (seen >> MB_LARGE_UNITS_SHIFT != units) continue;
        size_t first = mb_large_entry_first(seen);
        struct mb_unit *unit = mb_unit_at(first);
        if (MB_PEEK(unit->slab.large_bytes) - bytes >= MB_LEAST_PAGE || !mb_large_cache_empty(kept, i, seen)) continue;
        void *p = (void *)mb_unit_address(first);
        mb_large_unkeep_own(heap, unit, p, MB_LARGE_KEPT | MB_LARGE_UNTOUCHED | MB_LARGE_STEPS);
        mb_large_note_served(heap);
        return p;
    }
    return NULL;
}

// --- all ways -----------------------------------------------------------------------------------------------------------

// A kept span of exactly so many units, as a live block again (`heap` is the calling thread's) / as MB_UNIT_NONE; NULL: none.
struct mb_unit *mb_large_take_own(struct mb_heap *heap, size_t units);
struct mb_unit *mb_large_take_everybodys(size_t units);

// Keeps a span whose unit is MB_UNIT_NONE for everybody, or says no: no slot, or more than `units_max` would be kept.
bool mb_large_put_everybodys(struct mb_unit *unit, size_t units, size_t units_max);

// What is kept goes back to the arena: all of it (memory is short, or asked for), what has been kept for a tick, or one heap's.
void mb_large_flush(void);
void mb_large_age(void);
void mb_large_flush_heap(struct mb_heap *heap);
// Before the arena grows by so many units: what this heap and everybody keeps, and other heaps' if that is not enough.
void mb_large_flush_to_grow(struct mb_heap *heap, size_t units);

// Units kept now / by everybody, and by heaps if there have been few.
size_t mb_large_kept_units(void);
size_t mb_large_kept_at_hand(void);
// These go back to the arena, and heaps keep no more until what is kept for everybody is used again.
void mb_large_flush_at_hand(void);

// In a forked child: what absent threads kept, and what they had in their hands.
void mb_large_recover(void);

#endif
