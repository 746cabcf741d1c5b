// malloc and free, whole: no loop, no lock, no system call, no configuration. Every rare case ends in a _slow function.
//
// malloc takes the lowest bit of the class's mask and clears it in the slab's word as well. The one failing branch is
// taken for an empty mask: nothing left in this word, or no slab, or no heap yet. free needs the descriptor, the owner,
// the block's index and its bit; the block itself is not touched. NULL and foreign pointers fail the range test, other
// threads' and large blocks the owner test, interior pointers the bound, second frees the bit.
#ifndef MB_CORE_FRONT_FAST_H
#define MB_CORE_FRONT_FAST_H

#include "core/heap/self.h"
#include "core/region/unit.h"

void *mb_malloc_slow(size_t bytes);
// The mask of the class is empty; bytes <= MB_SMALL_MAX.
void *mb_refill_slow(size_t bytes, struct mb_heap *heap, size_t class_index);
void *mb_memalign_slow(size_t align, size_t bytes);
// The rare cases of free; the arguments are what free already has in registers. A pointer outside the arena's front:
void mb_free_outside_slow(uintptr_t from_base);
// A pointer into a unit that belongs to another thread, or to none.
void mb_free_unowned_slow(struct mb_unit *unit, uint32_t offset);
// A pointer into a unit of the calling thread, but not the start of a small block: a large block, or a mistake.
void mb_free_inside_slow(struct mb_slab *slab, struct mb_halves product);
// A block of the calling thread that is free already.
void mb_free_again_slow(struct mb_slab *slab, uint64_t index);
// Called when as many blocks of a slab were freed as its owner waited for: enough to use the slab again, or all.
void mb_slab_look_slow(struct mb_slab *slab);

// The mask of the class is not empty.
MB_INLINE void *mb_front_take(struct mb_front *front, size_t class_index) {
    uint64_t mask = front->mask[class_index];
    uint64_t rest = mask & (mask - 1);
    uint64_t taken = mask ^ rest;
    MB_POKE(front->mask[class_index], rest);
    MB_OPAQUE(taken);
    uint64_t *word = front->word[class_index];
    MB_POKE(*word, MB_PEEK(*word) ^ taken);
    return (void *)(front->base[class_index] + (uint32_t)mb_lowest_bit(taken) * front->bytes[class_index]);
}

MB_INLINE void *mb_malloc_fast(size_t bytes) {
    if (MB_UNLIKELY(bytes > MB_SMALL_MAX)) return mb_malloc_slow(bytes);
    struct mb_heap *heap = mb_heap_self;
    size_t class_index = mb_small_class_of[bytes];
    if (MB_UNLIKELY(heap->front.mask[class_index] == 0)) return mb_refill_slow(bytes, heap, class_index);
    return mb_front_take(&heap->front, class_index);
}

// The mask of a class whose blocks are all so aligned; any power of two, any size. NULL: ask mb_memalign_slow.
MB_INLINE void *mb_memalign_fast(size_t align, size_t bytes) {
    size_t rounded = (bytes + (align - 1)) & (0 - align); // see mb_bytes_to_align
    if (MB_UNLIKELY(bytes > MB_SMALL_MAX || rounded - 1 >= MB_SMALL_MAX)) return NULL;
    struct mb_heap *heap = mb_heap_self;
    size_t class_index = mb_small_class_of[rounded];
    if (MB_UNLIKELY(heap->front.mask[class_index] == 0)) return NULL;
    return mb_front_take(&heap->front, class_index);
}

// The slab that p lies in, if it is the calling thread's; NULL: something rare.
MB_INLINE struct mb_slab *mb_own_slab_of(const void *p) {
    return MB_LIKELY(mb_space_contains(p)) ? mb_slab_if_owned(mb_unit_of(p), mb_owner_token()) : NULL;
}

MB_INLINE void mb_free_in_own(struct mb_slab *slab, uint32_t offset) {
    struct mb_halves product = mb_slab_product(slab, offset);
    if (MB_UNLIKELY(product.low >= slab->bound)) {
        MB_OPAQUE(product.low); // else it is moved to where an argument is passed before it is compared
        return mb_free_inside_slow(slab, product);
    }
    uint64_t *free_bits = slab->free_bits;
    uint64_t word = product.high / 64;
    uint64_t bits = MB_PEEK(free_bits[word]);
    if (MB_UNLIKELY(mb_bit_test_set(&bits, product.high))) return mb_free_again_slow(slab, product.high);
    if (MB_UNLIKELY(mb_slab_put(slab, &free_bits[word], bits))) mb_slab_look_slow(slab);
}

// No register keeps p: what follows can be told from the offset, and each slow way can from what it gets.
MB_INLINE void mb_free_fast(void *p) {
    uintptr_t from_base = (uintptr_t)p - MB_PEEK(mb_space.base);
    if (MB_UNLIKELY(from_base >= MB_PEEK(mb_space.bytes))) return mb_free_outside_slow(from_base);
    uint32_t offset = (uint32_t)(from_base & MB_UNIT_MASK);
    MB_OPAQUE(offset);
    struct mb_unit *unit = mb_unit_at(from_base >> MB_UNIT_SHIFT);
    struct mb_slab *slab = mb_slab_if_owned(unit, mb_owner_token());
    if (MB_UNLIKELY(slab == NULL)) return mb_free_unowned_slow(unit, offset);
    mb_free_in_own(slab, offset);
}

#endif
