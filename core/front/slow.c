#include "core/front/slow.h"

#include <errno.h>
#include <stdint.h>

#include "core/base/check.h"
#include "core/front/fast.h"
#include "core/front/large.h"
#include "core/front/malloc.h"
#include "core/front/refill.h"
#include "core/front/sample.h"
#include "core/guarded/guarded.h"
#include "core/heap/perturb.h"
#include "core/heap/sampler.h"
#include "core/large/large_keep.h"
#include "core/large/large_quick.h"
#include "core/process/background.h"
#include "core/process/foreign.h"
#include "core/process/fork.h"
#include "core/process/init.h"
#include "core/process/thread.h"
#include "core/small/commons.h"
#include "core/small/mask.h"
#include "core/small/own.h"
#include "core/small/share.h"

MB_COLD void *mb_no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

enum { REVIEW_CALLS = 256 };

// --- malloc ----------------------------------------------------------------------------------------------------------

static void *from_commons(struct mb_heap *heap, unsigned class_index) {
    struct mb_heap *commons = mb_share_is_common(heap, class_index) ? mb_commons_enter(heap) : NULL;
    if (commons == NULL) return NULL;
    void *p = mb_heap_take_block(commons, mb_commons_class_of(class_index));
    mb_commons_leave(commons);
    return p;
}

static void *refill_and_take(struct mb_heap *heap, unsigned class_index, bool searched) {
    return mb_refill_class(heap, class_index, searched) ? mb_front_take(&heap->front, class_index) : NULL;
}

static void tick(struct mb_heap *heap, uint32_t calls) {
    mb_background_tick();
    mb_guarded_note(heap, calls);
}

static void *take_block(struct mb_heap *heap, unsigned class_index, bool searched) {
    if (heap->front.mask[class_index] != 0) return mb_front_take(&heap->front, class_index);
    if (mb_commons_is(heap)) return refill_and_take(heap, class_index, searched); // for whom it is, has looked at the clock
    if ((++heap->slow_calls & 3) == 0) tick(heap, 4);
    if (heap->slow_calls % REVIEW_CALLS == 0) mb_share_review(heap);
    const struct mb_class_slabs *slabs = &heap->slabs;
    if (slabs->current[class_index] == NULL && slabs->fresh[class_index] == NULL) {
        void *p = from_commons(heap, class_index);
        if (p != NULL) mb_sampler_count(heap, class_index);
        if (p != NULL) return p;
    }
    return refill_and_take(heap, class_index, searched);
}

void *mb_heap_take_block(struct mb_heap *heap, unsigned class_index) { return take_block(heap, class_index, false); }

static void *take_small(struct mb_heap *heap, size_t bytes) {
    unsigned class_index = mb_class_of(bytes);
    void *p = MB_UNLIKELY(!mb_perturb_quick_refills()) ? mb_sample_take(heap, class_index, bytes) : NULL;
    return p != NULL ? p : mb_heap_take_block(heap, class_index);
}

MB_NOINLINE static void *malloc_rare_own(size_t bytes) {
    if (bytes > PTRDIFF_MAX) return mb_no_memory();
    struct mb_heap *heap = mb_thread_enter();
    if (heap == NULL) return mb_no_memory();
    void *p = MB_UNLIKELY(mb_guarded_is_on()) ? mb_guarded_alloc(heap, bytes) : NULL;
    if (p == NULL) p = bytes <= MB_MEDIUM_MAX ? take_small(heap, bytes) : mb_large_alloc_missed(heap, bytes);
    mb_thread_leave(heap);
    return p != NULL ? p : mb_no_memory();
}

// Both calls are tail calls: with profile=hardened every malloc comes here.
MB_NOINLINE static void *malloc_rare(size_t bytes) {
    const struct mb_calls *other = mb_other_copy();
    return other != NULL ? other->malloc(bytes) : malloc_rare_own(bytes);
}

// For a real heap, the thread's own.
static void *malloc_from(struct mb_heap *heap, unsigned class_index, bool searched) {
    mb_fork_check();
    void *p = take_block(heap, class_index, searched);
    return p != NULL ? p : mb_no_memory();
}

// For a heap whose current slab has been searched: one with a slab is a real one.
MB_NOINLINE static void *malloc_from_others(size_t class_index, struct mb_heap *heap) {
    return malloc_from(heap, (unsigned)class_index, true);
}

// Blocks of the current slab were freed twice, by its owner and by another thread before.
MB_COLD static void *malloc_after_mistake(size_t class_index, struct mb_heap *heap) {
    mb_own_meet_freed_twice(heap->slabs.current[class_index]);
    void *p = take_block(heap, (unsigned)class_index, false);
    return p != NULL ? p : mb_no_memory();
}

MB_NOINLINE static void *after_tick(void *p, struct mb_heap *heap) {
    uint64_t ticks = atomic_load_explicit(&heap->shared.ticks, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.ticks, ticks + 1, memory_order_relaxed);
    heap->calls_to_tick = MB_CALLS_A_TICK;
    tick(heap, MB_CALLS_A_TICK);
    return p;
}

MB_NOINLINE static void *after_tick_of_large(void *p, struct mb_heap *heap) {
    heap->larges_to_tick = MB_CALLS_A_TICK;
    tick(heap, MB_CALLS_A_TICK);
    return p;
}

MB_INLINE void *count_to_tick(struct mb_heap *heap, void *p) { return mb_owner_decrement(&heap->calls_to_tick) ? after_tick(p, heap) : p; }

MB_NOINLINE static void *malloc_other_large(size_t bytes) {
    void *p = mb_large_alloc_kept(mb_heap_self, bytes);
    return p != NULL ? p : malloc_rare(bytes);
}

MB_INLINE void *malloc_found_large(size_t bytes, struct mb_heap *heap, _Atomic uint64_t *slot, uint64_t seen, struct mb_slab *large) {
    if (MB_UNLIKELY(!mb_large_take_found(heap, slot, seen, large))) return malloc_other_large(bytes);
    void *p = mb_piece_address(mb_large_entry_first(seen));
    return mb_owner_decrement(&heap->larges_to_tick) ? after_tick_of_large(p, heap) : p;
}

MB_NOINLINE static void *malloc_far_large(size_t bytes, struct mb_heap *heap, _Atomic uint64_t *slot, uint64_t seen) {
    return malloc_found_large(bytes, heap, slot, seen, mb_large_of_piece(mb_large_entry_first(seen)));
}

// When no block of exactly that length was kept a moment ago.
MB_NOINLINE static void *malloc_next_large(size_t bytes, struct mb_heap *heap) {
    uint64_t seen;
    _Atomic uint64_t *slot = mb_large_find_next(heap, bytes, &seen);
    if (slot != NULL) return malloc_far_large(bytes, heap, slot, seen);
    return mb_large_finds_all(bytes) ? malloc_rare(bytes) : malloc_other_large(bytes);
}

// Every call in here is a tail call, so that no register needs saving.
MB_NOINLINE static void *malloc_large(size_t bytes) {
    struct mb_heap *heap = mb_heap_self;
    uint64_t seen;
    _Atomic uint64_t *slot = mb_large_find_same(heap, bytes, &seen);
    if (slot == NULL) return malloc_next_large(bytes, heap);
    size_t first = mb_large_entry_first(seen);
    if (MB_UNLIKELY(!mb_large_is_near(first))) return malloc_far_large(bytes, heap, slot, seen);
    return malloc_found_large(bytes, heap, slot, seen, mb_large_near(first));
}

// A word of the current slab's that has free blocks: what its mask is from now on.
MB_INLINE void *take_from_word(struct mb_heap *heap, struct mb_slab *slab, size_t class_index, uint64_t *word, uint64_t mask) {
    if (MB_UNLIKELY(mb_mask_freed_twice(slab, word, mask))) return malloc_after_mistake(class_index, heap);
    return count_to_tick(heap, mb_mask_take(heap, slab, class_index, word, mask));
}

// The current slab has no free block of its owner's. Mostly it is full, and another one waits in the queue. One call in
// SLOWER_CALLS takes the longer way all the same: it looks at the clock, and at what the heap should not keep.
enum { SLOWER_CALLS = 16 };

MB_NOINLINE static void *refill_from_queue(size_t class_index, struct mb_heap *heap) {
    bool quick = (heap->slow_calls + 1) % SLOWER_CALLS != 0;
    struct mb_slab *slab = quick ? mb_own_exchange_full(heap, class_index) : NULL;
    if (slab == NULL) return malloc_from_others(class_index, heap);
    heap->slow_calls++;
    uint64_t *word, mask = mb_mask_next(heap, slab, class_index, &word);
    if (MB_UNLIKELY(mask == 0)) return malloc_from(heap, (unsigned)class_index, false);
    return take_from_word(heap, slab, class_index, word, mask);
}

// The words that come first are empty. (In mb_refill_slow the loops would need more registers than are free there.)
MB_NOINLINE static void *refill_from_far(size_t class_index, struct mb_heap *heap) {
    struct mb_slab *slab = heap->slabs.current[class_index];
    uint64_t *word, mask = mb_mask_next_far(heap, slab, class_index, &word);
    return mask == 0 ? refill_from_queue(class_index, heap) : take_from_word(heap, slab, class_index, word, mask);
}

// As mb_refill_slow, while the heap profile watches and this block is no sample.
MB_NOINLINE static void *malloc_watched(size_t bytes, struct mb_heap *heap, size_t class_index) {
    struct mb_slab *slab = heap->slabs.current[class_index];
    struct mb_sampler *sampler = slab != NULL ? mb_sampler_if_far(heap, class_index) : NULL;
    if (sampler == NULL) return malloc_rare(bytes);
    uint64_t *word, mask = mb_mask_next(heap, slab, class_index, &word);
    if (mask == 0) mask = mb_mask_next_far(heap, slab, class_index, &word);
    if (mask == 0 || mb_mask_freed_twice(slab, word, mask)) return malloc_rare(bytes);
    bool passes = mb_sampler_passes(sampler, class_index, mb_count_bits_quick(mask) * heap->front.bytes[class_index]);
    if (MB_UNLIKELY(!passes)) mask = mb_sampler_cut(heap, (unsigned)class_index, mask);
    return count_to_tick(heap, mb_mask_take(heap, slab, class_index, word, mask));
}

// For a class of which the heap has no slab to take from: mostly a block of the commons.
MB_NOINLINE static void *malloc_without_slab(size_t bytes, struct mb_heap *heap, size_t class_index) {
    bool is_real = mb_heap_is_real(heap);
    if (MB_LIKELY(is_real && mb_perturb_quick_refills())) return malloc_from(heap, (unsigned)class_index, false);
    return is_real && mb_perturb_only_watched() ? malloc_watched(bytes, heap, class_index) : malloc_rare(bytes);
}

// Most calls come for this: the slab that the mask was of has other free blocks. Every call in here that comes back is
// a tail call.
MB_NOINLINE void *mb_refill_slow(size_t bytes, struct mb_heap *heap, size_t class_index) {
    struct mb_slab *slab = heap->slabs.current[class_index];
    if (MB_UNLIKELY(slab == NULL || !mb_perturb_quick_refills())) return malloc_without_slab(bytes, heap, class_index);
    uint64_t *word, mask = mb_mask_next(heap, slab, class_index, &word);
    if (MB_UNLIKELY(mask == 0)) return slab->carved > 64 ? refill_from_far(class_index, heap) : refill_from_queue(class_index, heap);
    return take_from_word(heap, slab, class_index, word, mask);
}

// As malloc_large, while the heap profile or M_PERTURB looks at each block.
MB_COLD static void *malloc_large_watched(size_t bytes) {
    void *p = malloc_large(bytes);
    struct mb_heap *heap = p != NULL && mb_sampling_session() != 0 ? mb_thread_enter() : NULL;
    if (heap != NULL) {
        mb_sample_large(heap, p, bytes);
        mb_thread_leave(heap);
    }
    if (p != NULL && mb_perturb_byte() != 0) mb_perturb_handed_out(p, bytes);
    return p;
}

// For malloc, sizes that the fast path's table does not have; other callers pass any size.
MB_NOINLINE void *mb_malloc_slow(size_t bytes) {
    if (bytes > MB_MEDIUM_MAX) return MB_UNLIKELY(!mb_perturb_quick_refills()) ? malloc_large_watched(bytes) : malloc_large(bytes);
    struct mb_heap *heap = mb_heap_self;
    size_t class_index = MB_LIKELY(bytes <= MB_SMALL_MAX) ? mb_small_class_of[bytes] : mb_class_of(bytes);
    if (heap->front.mask[class_index] != 0) return mb_front_take(&heap->front, class_index);
    return mb_refill_slow(bytes, heap, class_index);
}

void *mb_malloc(size_t bytes) { return mb_malloc_fast(bytes); }
