// Dropping an allocator while the system refuses, at each step: members in mappings of their own, over their own range
// and over a foreign one, alone and under layers. Nothing is lost: the next drop returns the rest and reports success.
#include <stdio.h>
#include <string.h>

#include "core/family/family.h"
#include "core/layout/remote_slab.h"
#include "core/layout/size_classed.h"
#include "core/layout/slab_pool.h"
#include "core/region/region_allocator.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"
#include "tests/unit/refusing_os.h"

enum { RANGE = 16 << 20, SLOT = 256, MOST_STEPS = 20 };

static struct mb_region_allocator region;
static struct mb_size_classed classed;
static struct mb_slab_pool pool;
static struct mb_remote_slab slab;
static struct mb_remote_handle_shared handle;

static struct mb_source_config config_over(struct mb_allocator *base) {
    struct mb_source_config config = MB_SOURCE_CONFIG(RANGE);
    config.base = base;
    config.policy = MB_POLICY_COUNT; // live blocks are nothing to be told of
    return config;
}

static struct mb_allocator *make_classed(struct mb_allocator *base) {
    struct mb_source_config config = config_over(base);
    assert_int_equal(mb_size_classed_new_with(&classed, &config), MB_OK);
    return &classed.allocator;
}

static struct mb_allocator *make_pool(struct mb_allocator *base) {
    struct mb_source_config config = config_over(base);
    assert_int_equal(mb_slab_pool_new_with(&pool, SLOT, 16, &config), MB_OK);
    return &pool.allocator;
}

static struct mb_allocator *make_remote(struct mb_allocator *base) {
    struct mb_source_config config = config_over(base);
    assert_int_equal(mb_remote_slab_new_with(&slab, SLOT, 16, &config), MB_OK);
    return &slab.allocator;
}

typedef struct mb_allocator *make_member(struct mb_allocator *base);
static make_member *const makes[] = {make_classed, make_pool, make_remote};
enum { MEMBERS = sizeof makes / sizeof makes[0] };

static struct mb_allocator *region_below(void) {
    struct mb_region_config config = MB_REGION_CONFIG(RANGE);
    config.prefer = MB_REGION_LAZY;
    assert_int_equal(mb_region_allocator_new_with(&region, &config, MB_POLICY_COUNT), MB_OK);
    return &region.allocator;
}

static size_t address_space(void) {
    char text[64];
    size_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_non_null(statm);
    setvbuf(statm, text, _IOFBF, sizeof text);
    assert_int_equal(fscanf(statm, "%zu", &pages), 1);
    fclose(statm);
    return pages;
}

// The drop whose step number `step` is refused; false when it has fewer.
static bool refused_at(struct mb_allocator *a, unsigned step) {
    os_refuse(1u << OS_UNMAP, step, 1);
    enum mb_error error = mb_allocator_drop(a);
    bool refused = os.refused != 0;
    os_allow_all();
    assert_int_equal(error, refused ? MB_REFUSED : MB_OK);
    return refused;
}

static unsigned steps_of(make_member *make, bool over) {
    unsigned step = 0;
    for (bool more = true; more; step++) {
        size_t before = address_space();
        struct mb_allocator *a = make(over ? region_below() : NULL);
        char *p = mb_allocator_allocate(a, 100, 16);
        p[0] = 1;
        more = refused_at(a, step);
        if (more && step == 0) { // as if nobody had tried
            p[1] = 1;
            assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
            assert_ptr_equal(mb_allocator_allocate(a, 100, 16), p);
        }
        for (int again = 0; again < 2; again++) assert_int_equal(mb_allocator_drop(a), MB_OK);
        if (over) {
            assert_non_null(mb_allocator_allocate(&region.allocator, 100, 16)); // handed back
            assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
        }
        assert_int_equal(address_space(), before);
        assert_true(step < MOST_STEPS);
    }
    return step - 1;
}

static void a_refused_owner_is_one_still(void **state) {
    (void)state;
    struct mb_allocator *a = make_remote(NULL);
    struct mb_remote_slab other;
    assert_true(refused_at(a, 0));
    mb_remote_slab_handle(&slab, &handle);
    assert_int_equal(mb_remote_handle_adopt(&handle, &other), MB_BAD_CONFIG);
    assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// A range that cannot hold one slot is refused before anything is mapped, which then would have to be unmapped.
static void a_small_range_is_refused_in_time(void **state) {
    (void)state;
    struct mb_source_config config = config_over(NULL);
    size_t before = address_space();
    config.max_bytes = 1 << 20;
    os_refuse(1u << OS_UNMAP, 1, 1); // but for the mapping that says what a pool knows
    assert_int_equal(mb_slab_pool_new_with(&pool, 2 << 20, 16, &config), MB_BAD_SIZE);
    assert_int_equal(os.refused, 0);
    os_allow_all();
    assert_int_equal(address_space(), before);
}

static void every_step_of_a_member_may_be_refused(void **state) {
    (void)state;
    for (size_t m = 0; m < MEMBERS; m++) {
        assert_int_equal(steps_of(makes[m], false), 3); // range, metadata, home
        assert_int_equal(steps_of(makes[m], true), 2);
    }
}

static void the_last_handle_too(void **state) {
    (void)state;
    for (unsigned step = 0; step < 3; step++) {
        size_t before = address_space();
        struct mb_allocator *a = make_remote(NULL);
        void *p = mb_allocator_allocate(a, 100, 16);
        mb_remote_slab_handle(&slab, &handle);
        assert_int_equal(mb_allocator_drop(a), MB_OK);
        assert_int_equal(mb_remote_handle_give(&handle, p), MB_OK);
        assert_true(refused_at(&handle.allocator, step));
        assert_int_equal(mb_allocator_last_error(&handle.allocator), MB_REFUSED);
        for (int again = 0; again < 2; again++) assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
        assert_int_equal(address_space(), before);
    }
}

// The layers' tables are dropped after the base: a second drop finds that the base is gone.
static void so_may_every_step_of_a_family(void **state) {
    (void)state;
    struct mb_canary_config canary = MB_CANARY_CONFIG;
    struct mb_poison_config poison = MB_POISON_CONFIG;
    struct mb_quarantine_config quarantine = MB_QUARANTINE_CONFIG;
    struct mb_statistics_config statistics = MB_STATISTICS_CONFIG;
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    options.canary = &canary;
    options.poison = &poison;
    options.quarantine = &quarantine;
    options.statistics = &statistics;
    for (size_t m = 0; m < MEMBERS; m++) {
        unsigned step = 0;
        for (bool more = true; more; step++) {
            size_t before = address_space();
            struct mb_family *family;
            assert_int_equal(mb_family_compose(&options, makes[m](NULL), &family), MB_OK);
            struct mb_allocator *a = mb_family_allocator(family);
            void *live = mb_allocator_allocate(a, 100, 16), *waits = mb_allocator_allocate(a, 100, 16);
            assert_non_null(live);
            assert_int_equal(mb_allocator_deallocate(a, waits, 100), MB_OK);
            more = refused_at(a, step);
            if (more) assert_int_equal(mb_family_drop(family), MB_OK);
            assert_int_equal(address_space(), before);
            assert_true(step < MOST_STEPS);
        }
        assert_true(step > 4); // more than the member's own three
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_of_a_member_may_be_refused),
        cmocka_unit_test(the_last_handle_too),
        cmocka_unit_test(a_refused_owner_is_one_still),
        cmocka_unit_test(a_small_range_is_refused_in_time),
        cmocka_unit_test(so_may_every_step_of_a_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
