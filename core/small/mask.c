#include "core/small/mask.h"

#include "core/base/config.h"
#include "core/heap/sampler.h"

enum { WINDOW_BYTES = 16 << 10, WINDOW_BLOCKS_MIN = 2, NEAR_BLOCKS_MIN = 8 };

// The lowest n bits; n > 0.
#define LOW(n) (~UINT64_C(0) >> (64 - ((n) < 64 ? (n) : 64)))
#define AT_LEAST(least, n) ((n) < (least) ? (least) : (n))

// Of a class of so many granules a block.
#define BLOCKS(granules) (WINDOW_BYTES / ((granules)*MB_GRANULE))
#define NEAR(granules) LOW(AT_LEAST(NEAR_BLOCKS_MIN, BLOCKS(granules)))
#define WINDOW(granules) LOW(AT_LEAST(WINDOW_BLOCKS_MIN, BLOCKS(granules)))

#define EIGHT(of, first, step)                                                                                                             \
    of(first), of((first) + (step)), of((first) + 2 * (step)), of((first) + 3 * (step)), of((first) + 4 * (step)),                         \
        of((first) + 5 * (step)), of((first) + 6 * (step)), of((first) + 7 * (step))
#define DOUBLING(of, shift) EIGHT(of, 9 << (shift), 1 << (shift))
#define EACH_CLASS(of)                                                                                                                     \
    EIGHT(of, 1, 1), DOUBLING(of, 0), DOUBLING(of, 1), DOUBLING(of, 2), DOUBLING(of, 3), DOUBLING(of, 4), DOUBLING(of, 5),                 \
        DOUBLING(of, 6), DOUBLING(of, 7)

const struct mb_mask_first mb_mask_first = {.near = {EACH_CLASS(NEAR)}, .window = {EACH_CLASS(WINDOW)}};

static uint64_t find(const struct mb_heap *heap, const struct mb_slab *slab, size_t class_index, uint64_t **word) {
    uint64_t mask = mb_mask_next(heap, slab, class_index, word);
    return mask != 0 ? mask : mb_mask_next_far(heap, slab, class_index, word);
}

bool mb_mask_next_word(struct mb_heap *heap, struct mb_slab *slab, size_t class_index) {
    uint64_t *word, mask = find(heap, slab, class_index, &word);
    if (MB_UNLIKELY(mb_mask_freed_twice(slab, word, mask))) {
        mb_own_meet_freed_twice(slab);
        mask = find(heap, slab, class_index, &word);
    }
    if (mask == 0) return false;
    if (MB_UNLIKELY(!mb_perturb_quick_refills())) mask = mb_sampler_cut(heap, (unsigned)class_index, mask);
    mb_mask_use(heap, slab, class_index, word);
    mb_mask_note_served(heap, mb_count_bits(mask));
    mb_mask_note_refill(heap);
    heap->slabs.current[class_index] = slab;
    if (MB_UNLIKELY(mb_perturb_byte() != 0)) mb_perturb_mask(heap->front.base[class_index], slab->block_bytes, mask);
    MB_POKE(heap->front.mask[class_index], mask);
    return true;
}
