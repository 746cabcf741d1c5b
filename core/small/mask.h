// The next word of free bits for malloc's mask: what most slow calls come for, so it inlines.
//
// What: words are used in turn, round and round through the slab: each has had time to gather what was freed. (Lowest
// first was tried: it finds the same word again and again, for the one block that was freed last.)
// Who: the owner thread of the heap, whose mask of the class is empty.
#ifndef MB_CORE_SMALL_MASK_H
#define MB_CORE_SMALL_MASK_H

#include <stdbool.h>

#include "core/heap/perturb.h"
#include "core/heap/self.h"
#include "platform/cpu.h"

// Blocks of the slab were freed by their owner and, before that, by another thread: reports each. If the process goes
// on, they are free once.
void mb_own_meet_freed_twice(struct mb_slab *slab);

MB_INLINE void mb_mask_note_served(struct mb_heap *heap, uint64_t blocks) {
    uint64_t served = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.blocks_served, served + blocks, memory_order_relaxed);
}

// Of those that the heap's countdown to the next tick does not count.
MB_INLINE void mb_mask_note_refill(struct mb_heap *heap) {
    uint64_t refills = atomic_load_explicit(&heap->shared.refills, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.refills, refills + 1, memory_order_relaxed);
}

// While at most three of a slab's first blocks are live, the next mask is the lowest 16 KiB of them: a thread with few
// live blocks of a class then works in the first pages of its slab instead of taking turns through all of it. (Where
// more is live this would only make refills more frequent: 20 % more instructions in working sets of random sizes.)
struct mb_mask_first {
    uint64_t near[MB_CLASSES];   // the first blocks that are looked at
    uint64_t window[MB_CLASSES]; // those of them that are handed out; all of the word in classes of which it is not longer
};
extern MB_HIDDEN const struct mb_mask_first mb_mask_first;

// The part of the slab's first word to hand out; 0: use the words in turn.
MB_INLINE uint64_t mb_mask_of_first(const struct mb_slab *slab, size_t class_index) {
    uint64_t bits = MB_PEEK(*slab->free_bits);
    uint64_t live = ~bits & mb_mask_first.near[class_index];
    live &= live - 1;
    live &= live - 1;
    return (live & (live - 1)) == 0 ? bits & mb_mask_first.window[class_index] : 0;
}

// The word of the slab behind the last one that was used, round and round.
MB_INLINE uint64_t *mb_mask_word_behind(const struct mb_slab *slab, uint64_t *last) {
    uint64_t *bits = slab->free_bits;
    if (slab->carved <= 64) return bits;
    uint64_t at = (uintptr_t)last - (uintptr_t)bits; // anything, when the last word was another slab's
    MB_OPAQUE(at);                                   // else a register is saved for last + 1
    return at * 8 + 64 < slab->carved ? bits + at / sizeof *bits + 1 : bits;
}

// The first word of [from, to) with a free bit; `to` if none.
MB_INLINE uint64_t *mb_mask_find(uint64_t *from, const uint64_t *to) {
    while (from < to && MB_PEEK(*from) == 0) from++;
    return from;
}

// The first word of the slab with free bits behind `start`, round and round; `start` if none.
MB_INLINE uint64_t *mb_mask_find_behind(const struct mb_slab *slab, uint64_t *start) {
    uint64_t *bits = slab->free_bits;
    uint64_t *end = bits + mb_slab_words(slab);
    uint64_t *word = mb_mask_find(start + 1, end);
    return word < end ? word : mb_mask_find(bits, start);
}

// Whether blocks of a mask were freed by another thread as well: mb_own_meet_freed_twice.
MB_INLINE bool mb_mask_freed_twice(const struct mb_slab *slab, const uint64_t *word, uint64_t mask) {
    return (mask & __atomic_load_n(word + slab->bit_words, __ATOMIC_RELAXED)) != 0;
}

// What malloc needs of a word, but for the mask. The class comes from the caller's register: a load of it would stand
// before the stores here, and the loads of malloc behind them would be guessed to meet other memory. A word's address
// tells where its blocks begin, for a class; slabs of few blocks have one word, and use it again and again.
MB_INLINE void mb_mask_use(struct mb_heap *heap, struct mb_slab *slab, size_t class_index, uint64_t *word) {
    if (heap->front.word[class_index] == word) return;
    uint64_t first_block = ((uintptr_t)word - (uintptr_t)slab->free_bits) * 8;
    heap->front.word[class_index] = word;
    heap->front.base[class_index] = mb_slab_start(mb_slab_unit(slab)) + first_block * slab->block_bytes;
}

// The word to use next, if it is one of the two that come first, and the mask of it; 0: it may be farther away.
MB_INLINE uint64_t mb_mask_next(const struct mb_heap *heap, const struct mb_slab *slab, size_t class_index, uint64_t **word) {
    uint64_t mask = mb_mask_of_first(slab, class_index);
    *word = slab->free_bits;
    if (mask != 0) return mask;
    *word = mb_mask_word_behind(slab, heap->front.word[class_index]);
    return MB_PEEK(**word);
}

// The same after the above has found nothing; 0: the owner's bits show no free block.
MB_INLINE uint64_t mb_mask_next_far(const struct mb_heap *heap, const struct mb_slab *slab, size_t class_index, uint64_t **word) {
    *word = mb_mask_find_behind(slab, mb_mask_word_behind(slab, heap->front.word[class_index]));
    return MB_PEEK(**word);
}

// Makes a word of the slab's free bits, or a part of it, the mask of its class; false when it has none.
bool mb_mask_next_word(struct mb_heap *heap, struct mb_slab *slab, size_t class_index);

// The same with a mask of the current slab, and takes its first block. The caller has checked mb_perturb_quick_refills.
MB_INLINE void *mb_mask_take(struct mb_heap *heap, struct mb_slab *slab, size_t class_index, uint64_t *word, uint64_t mask) {
    struct mb_front *front = &heap->front;
    mb_mask_use(heap, slab, class_index, word);
    mb_mask_note_served(heap, mb_count_bits_quick(mask));
    uint64_t rest = mask & (mask - 1);
    MB_POKE(front->mask[class_index], rest);
    MB_POKE(*word, MB_PEEK(*word) ^ (mask ^ rest));
    return (void *)(front->base[class_index] + (uint32_t)mb_lowest_bit(mask) * front->bytes[class_index]);
}

#endif
