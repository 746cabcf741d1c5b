#include "core/small/mask.h"

#include "core/base/config.h"

enum { WINDOW_BYTES = 16 << 10, WINDOW_BLOCKS_MIN = 2, NEAR_BLOCKS_MIN = 8 };

// The lowest n bits; n > 0.
#define LOW(n) (~UINT64_C(0) >> (64 - ((n) < 64 ? (n) : 64)))
#define AT_LEAST(least, n) ((n) < (least) ? (least) : (n))

// Of a class of so many granules a block.
#define BLOCKS(granules) (WINDOW_BYTES / ((granules)*MB_GRANULE))
#define FIRST(granules)                                                                                                                    \
    { .near = LOW(AT_LEAST(NEAR_BLOCKS_MIN, BLOCKS(granules))), .window = LOW(AT_LEAST(WINDOW_BLOCKS_MIN, BLOCKS(granules))) }
#define DOUBLING(shift)                                                                                                                    \
    FIRST(9 << (shift)), FIRST(10 << (shift)), FIRST(11 << (shift)), FIRST(12 << (shift)), FIRST(13 << (shift)), FIRST(14 << (shift)),     \
        FIRST(15 << (shift)), FIRST(16 << (shift))

const struct mb_mask_first mb_mask_firsts[MB_CLASSES] = {
    FIRST(1),    FIRST(2),    FIRST(3),    FIRST(4),    FIRST(5),    FIRST(6),    FIRST(7),    FIRST(8),
    DOUBLING(0), DOUBLING(1), DOUBLING(2), DOUBLING(3), DOUBLING(4), DOUBLING(5), DOUBLING(6), DOUBLING(7),
};
