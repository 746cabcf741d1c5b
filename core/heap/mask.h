// The next word of free bits for malloc's mask: what most slow calls come for, so it inlines.
//
// What: words are used in turn, round and round through the slab: each has had time to gather what was freed. (Lowest first was tried:
// it finds the same word again and again, for the one block that was freed last.)
// Who: the owner thread of the heap, whose mask of the class is empty.
#ifndef MB_CORE_HEAP_MASK_H
#define MB_CORE_HEAP_MASK_H

#include <stdbool.h>

#include "core/heap/self.h"
#include "platform/bits.h"

// Ends the process: a block of the slab was freed by its owner and, before that, by another thread.
_Noreturn void mb_own_report_freed_twice(struct mb_slab *slab);

MB_INLINE void mb_mask_note_served(struct mb_heap *heap, uint64_t mask) {
    uint64_t served = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.blocks_served, served + mb_popcount64(mask), memory_order_relaxed);
}

// The first word of [from, to) with a free bit; `to` if none.
MB_INLINE uint64_t mb_mask_find(const uint64_t *bits, uint64_t from, uint64_t to) {
    while (from < to && MB_PEEK(bits[from]) == 0) from++;
    return from;
}

// Makes a word of the slab's free bits the mask of its class; false when it has none. The class comes from the caller's register: a
// load of it would stand before the stores here, and the loads of malloc behind them would be guessed to meet other memory.
MB_INLINE bool mb_mask_next_word(struct mb_heap *heap, struct mb_slab *slab, size_t class_index) {
    struct mb_front *front = &heap->front;
    uint64_t *bits = slab->free_bits;
    uint64_t words = mb_slab_words(slab);
    uint64_t after = (uint64_t)(front->word[class_index] - bits) + 1; // anything, when the last word was another slab's
    uint64_t start = after < words ? after : 0;
    uint64_t word = mb_mask_find(bits, start, words);
    if (word == words) {
        word = mb_mask_find(bits, 0, start);
        if (word == start) return false;
    }
    uint64_t mask = MB_PEEK(bits[word]);
    uint64_t remote = __atomic_load_n(&bits[slab->bit_words + word], __ATOMIC_RELAXED);
    if (MB_UNLIKELY((mask & remote) != 0)) mb_own_report_freed_twice(slab);
    heap->slabs[class_index].current = slab;
    front->mask[class_index] = mask;
    front->word[class_index] = &bits[word];
    front->base[class_index] = mb_slab_start(mb_slab_unit(slab)) + word * 64 * slab->block_bytes;
    mb_mask_note_served(heap, mask);
    return true;
}

#endif
