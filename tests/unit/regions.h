// Regions for tests: made with given flags; dropping one checks that nothing of it stays mapped.
#ifndef MB_TESTS_UNIT_REGIONS_H
#define MB_TESTS_UNIT_REGIONS_H

#include "core/region/region.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static inline enum mb_error region_try(struct mb_region *region, size_t bytes, uint32_t prefer, uint32_t require) {
    struct mb_region_config config = MB_REGION_CONFIG(bytes);
    config.prefer = prefer;
    config.require = require;
    return mb_region_new_with(region, &config);
}

static inline struct mb_region region_made(size_t bytes, uint32_t prefer, uint32_t require) {
    struct mb_region region;
    assert_int_equal(region_try(&region, bytes, prefer, require), MB_OK);
    assert_int_equal(mb_region_honoured(&region) & require, require);
    return region;
}

static inline void region_dropped(struct mb_region *region) {
    void *first = mb_region_base(region), *last = (char *)first + region->mapped - 1;
    struct kernel_mapping mapping;
    assert_true(mb_region_check(region));
    assert_int_equal(mb_region_drop(region), MB_OK);
    assert_false(kernel_mapping_at(first, &mapping));
    assert_false(kernel_mapping_at(last, &mapping));
}

#endif
