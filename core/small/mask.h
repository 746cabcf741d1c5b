// The next word of free bits for malloc's mask: what most slow calls come for, so it inlines.
//
// What: words are used in turn, round and round through the slab: each has had time to gather what was freed. (Lowest first was tried:
// it finds the same word again and again, for the one block that was freed last.)
// Who: the owner thread of the heap, whose mask of the class is empty.
#ifndef MB_CORE_SMALL_MASK_H
#define MB_CORE_SMALL_MASK_H

#include <stdbool.h>

#include "core/heap/perturb.h"
#include "core/heap/self.h"
#include "platform/cpu.h"

// Blocks of the slab were freed by their owner and, before that, by another thread: reports each. If the process goes on, they are free once.
void mb_own_meet_freed_twice(struct mb_slab *slab);

MB_INLINE void mb_mask_note_served(struct mb_heap *heap, uint64_t mask) {
    uint64_t served = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.blocks_served, served + mb_count_bits(mask), memory_order_relaxed);
}

// While at most three of a slab's first blocks are live, the next mask is the lowest 16 KiB of them: a thread with few live blocks of a class then
// works in the first pages of its slab instead of taking turns through all of it. (Where more is live this would only make refills more
// frequent: 20 % more instructions in working sets of random sizes.)
struct mb_mask_first {
    uint64_t near;   // the first blocks that are looked at
    uint64_t window; // those of them that are handed out; all of the word in classes of which it is not longer
};
extern MB_HIDDEN const struct mb_mask_first mb_mask_firsts[MB_CLASSES];

// The part of the slab's first word to hand out; 0: use the words in turn.
MB_INLINE uint64_t mb_mask_of_first(const struct mb_slab *slab, size_t class_index) {
    uint64_t bits = MB_PEEK(*slab->free_bits);
    uint64_t live = ~bits & mb_mask_firsts[class_index].near;
    live &= live - 1;
    live &= live - 1;
    return (live & (live - 1)) == 0 ? bits & mb_mask_firsts[class_index].window : 0;
}

// The first word of [from, to) with a free bit; `to` if none.
MB_INLINE uint64_t *mb_mask_find(uint64_t *from, const uint64_t *to) {
    while (from < to && MB_PEEK(*from) == 0) from++;
    return from;
}

// The next word of the slab with free bits, behind the last one that was used, round and round; NULL: none.
MB_INLINE uint64_t *mb_mask_find_next(const struct mb_slab *slab, uint64_t *last) {
    uint64_t *bits = slab->free_bits;
    uintptr_t next = (uintptr_t)last + sizeof *last;
    uint64_t behind = next - (uintptr_t)bits; // anything, when the last word was another slab's
    bool carved = behind * 8 < slab->carved;
    uint64_t *start = carved ? (uint64_t *)next : bits;
    if (MB_LIKELY(carved && MB_PEEK(*start) != 0)) return start;
    uint64_t *end = bits + mb_slab_words(slab);
    uint64_t *word = mb_mask_find(start, end);
    if (word != end) return word;
    word = mb_mask_find(bits, start);
    return word != start ? word : NULL;
}

// What malloc needs of a word, but for the mask. The class comes from the caller's register: a load of it would stand before the stores here,
// and the loads of malloc behind them would be guessed to meet other memory.
enum mb_mask_found { MB_MASK_NONE, MB_MASK_FOUND, MB_MASK_FREED_TWICE };

MB_INLINE enum mb_mask_found mb_mask_use(struct mb_heap *heap, struct mb_slab *slab, size_t class_index, uint64_t *word, uint64_t mask) {
    if (MB_UNLIKELY((mask & __atomic_load_n(word + slab->bit_words, __ATOMIC_RELAXED)) != 0)) return MB_MASK_FREED_TWICE;
    uint64_t first_block = ((uintptr_t)word - (uintptr_t)slab->free_bits) * 8;
    heap->front.word[class_index] = word;
    heap->front.base[class_index] = mb_slab_start(mb_slab_unit(slab)) + first_block * slab->block_bytes;
    mb_mask_note_served(heap, mask);
    return MB_MASK_FOUND;
}

// The next mask of the slab, and its word. NONE: the slab has no free block of its owner's.
MB_INLINE enum mb_mask_found mb_mask_next(struct mb_heap *heap, struct mb_slab *slab, size_t class_index, uint64_t **word, uint64_t *mask) {
    *mask = mb_mask_of_first(slab, class_index);
    *word = slab->free_bits;
    if (*mask == 0) {
        *word = mb_mask_find_next(slab, heap->front.word[class_index]);
        if (*word == NULL) return MB_MASK_NONE;
        *mask = MB_PEEK(**word);
    }
    return mb_mask_use(heap, slab, class_index, *word, *mask);
}

// Makes a word of the slab's free bits, or a part of it, the mask of its class; false when it has none.
MB_INLINE bool mb_mask_next_word(struct mb_heap *heap, struct mb_slab *slab, size_t class_index) {
    uint64_t *word, mask;
    enum mb_mask_found found = mb_mask_next(heap, slab, class_index, &word, &mask);
    if (MB_UNLIKELY(found == MB_MASK_FREED_TWICE)) {
        mb_own_meet_freed_twice(slab);
        found = mb_mask_next(heap, slab, class_index, &word, &mask);
    }
    if (found != MB_MASK_FOUND) return false;
    heap->slabs[class_index].current = slab;
    if (MB_UNLIKELY(mb_perturb_byte() != 0)) mb_perturb_mask(heap->front.base[class_index], slab->block_bytes, mask);
    MB_POKE(heap->front.mask[class_index], mask);
    return true;
}

// The same with the current slab, and takes the first block of it. Where blocks are filled nobody may come here.
MB_INLINE enum mb_mask_found mb_mask_take_next(struct mb_heap *heap, struct mb_slab *slab, size_t class_index, void **out) {
    struct mb_front *front = &heap->front;
    uint64_t *word, mask;
    enum mb_mask_found found = mb_mask_next(heap, slab, class_index, &word, &mask);
    if (MB_UNLIKELY(found != MB_MASK_FOUND)) return found;
    uint64_t rest = mask & (mask - 1);
    MB_POKE(front->mask[class_index], rest);
    MB_POKE(*word, MB_PEEK(*word) ^ (mask ^ rest));
    *out = (void *)(front->base[class_index] + (uint32_t)mb_lowest_bit(mask) * front->bytes[class_index]);
    return MB_MASK_FOUND;
}

#endif
