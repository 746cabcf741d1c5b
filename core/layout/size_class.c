#include "core/layout/size_class.h"

// The sizes of one class: from a granule's end to another's.
#define SIZES(from, to) [(from) * MB_GRANULE + 1 ... (to) * MB_GRANULE]
#define EIGHTH(shift, i) SIZES((8 + (i)) << (shift), (9 + (i)) << (shift)) = 8 * ((shift) + 1) + (i)
#define DOUBLING(shift)                                                                                                          \
    EIGHTH(shift, 0), EIGHTH(shift, 1), EIGHTH(shift, 2), EIGHTH(shift, 3), EIGHTH(shift, 4), EIGHTH(shift, 5), EIGHTH(shift, 6), \
        EIGHTH(shift, 7)

const uint8_t mb_small_class_of[MB_SMALL_MAX + 1] = {
    [0 ... MB_GRANULE] = 0, SIZES(1, 2) = 1, SIZES(2, 3) = 2, SIZES(3, 4) = 3, SIZES(4, 5) = 4, SIZES(5, 6) = 5, SIZES(6, 7) = 6,
    SIZES(7, 8) = 7, DOUBLING(0), DOUBLING(1), DOUBLING(2), DOUBLING(3), DOUBLING(4), DOUBLING(5),
};
