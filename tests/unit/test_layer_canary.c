// The canary layer finds overflows on free, on resize, in a walk, on a reset and at the end.
#include <string.h>

#include "core/base/rng.h"
#include "core/harden/canary.h"
#include "core/harden/fault_os.h"
#include "tests/support/bases.h"
#include "tests/unit/memory.h"

static struct libc_base libc;
static struct region_base region;
static struct mb_canary canary;

static struct mb_allocator *over(struct mb_allocator *base) {
    struct mb_canary_config config = MB_CANARY_CONFIG;
    assert_int_equal(mb_canary_init(&canary, &config, MB_POLICY_COUNT, base), MB_OK);
    return &canary.layer.api;
}

static struct mb_allocator *over_libc(void) {
    libc_base_init(&libc, 0);
    return over(&libc.api);
}

static struct mb_allocator *over_region(void) {
    assert_int_equal(region_base_init(&region, (size_t)16 << 20, MB_REGION_LAZY), MB_OK);
    return over(&region.api);
}

// The matrix: every bit of the canary of blocks of every length, flipped, is found by the walk and by free; flipped
// back, the block is freed.
static void every_flipped_bit_is_found(void **state) {
    (void)state;
    struct mb_allocator *a = over_libc();
    uint64_t events = 0;
    for (size_t bytes = 1; bytes <= 40; bytes++) {
        unsigned char *p = mb_allocator_allocate(a, bytes, 16);
        for (unsigned bit = 0; bit < 64; bit++) {
            p[bytes + bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_int_equal(mb_canary_damaged(&canary), 1);
            assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_CORRUPT);
            assert_int_equal(mb_allocator_last_error(a), MB_CORRUPT);
            assert_int_equal(mb_allocator_corruption_events(a), ++events);
            assert_null(mb_allocator_grow(a, p, bytes, bytes + 1, 16));
            assert_null(mb_allocator_shrink(a, p, bytes, 1, 16));
            events += 2;
            assert_int_equal(mb_allocator_usable_size(a, p), bytes); // still live
            p[bytes + bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        assert_int_equal(mb_canary_damaged(&canary), 0);
        assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_OK);
    }
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void differs_by_place_and_ends_strings(void **state) {
    (void)state;
    struct mb_allocator *a = over_libc();
    char *p = mb_allocator_allocate(a, 24, 16), *q = mb_allocator_allocate(a, 24, 16);
    assert_int_equal(p[24], 0);
    memset(p, 'x', 24);
    assert_int_equal(strlen(p), 24);
    assert_memory_not_equal(p + 24, q + 24, 8);
    memcpy(p + 24, q + 24, 8); // a canary that was read elsewhere does not help
    assert_int_equal(mb_allocator_deallocate(a, p, 24), MB_CORRUPT);
    struct mb_canary_key first = canary.key;
    over_libc();
    assert_memory_not_equal(&first, &canary.key, sizeof first);
}

static void mistakes_are_told_at_the_door(void **state) {
    (void)state;
    struct mb_allocator *a = over_libc();
    char foreign[32] = {0};
    char *p = mb_allocator_allocate(a, 100, 16);
    assert_int_equal(mb_allocator_deallocate(a, foreign, 32), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(a, p + 16, 84), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(a, p, 99), MB_BAD_SIZE);
    assert_null(mb_allocator_grow(a, p, 99, 200, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_SIZE);
    assert_int_equal(mb_allocator_corruption_events(a), 0);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_BAD_POINTER);
    mb_allocator_drop(a);
}

static void sizes_change_and_the_canary_follows(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct mb_allocator *a = which ? over_region() : over_libc();
        struct mb_rng rng = {3};
        size_t bytes = 50;
        char *p = mb_allocator_allocate_zeroed(a, bytes, 16);
        assert_all_bytes(p, bytes, 0);
        memset(p, 1, bytes);
        for (int i = 0; i < 500; i++) {
            size_t next = 1 + mb_rng_below(&rng, 2000);
            p = next > bytes ? mb_allocator_grow(a, p, bytes, next, 16) : mb_allocator_shrink(a, p, bytes, next, 16);
            assert_non_null(p);
            for (size_t k = 0; k < mb_min(bytes, next); k++) assert_int_equal(p[k], 1);
            memset(p, 1, next);
            bytes = next;
            assert_int_equal(mb_allocator_usable_size(a, p), bytes);
            assert_int_equal(mb_canary_damaged(&canary), 0);
        }
        p[bytes] = 1;
        assert_int_equal(mb_canary_damaged(&canary), 1);
        assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_CORRUPT);
        assert_int_equal(mb_allocator_drop(a), MB_OK);
    }
}

static bool add_bytes(void *context, void *p, size_t bytes) {
    size_t *sum = context;
    assert_non_null(p);
    *sum += bytes;
    return *sum < 1000000;
}

static void walk_visits_live_blocks(void **state) {
    (void)state;
    struct mb_allocator *a = over_region();
    size_t expected = 0, sum = 0;
    for (size_t i = 1; i <= 1000; i++) {
        void *p = mb_allocator_allocate(a, i, 8);
        if (i % 3 == 0) assert_int_equal(mb_allocator_deallocate(a, p, i), MB_OK);
        else expected += i;
    }
    assert_int_equal(mb_canary_walk(&canary, add_bytes, &sum), 667);
    assert_int_equal(sum, expected);
    sum = 999999;
    assert_int_equal(mb_canary_walk(&canary, add_bytes, &sum), 1); // ends when told to
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void reset_looks_once_more(void **state) {
    (void)state;
    struct mb_allocator *a = over_region();
    char *p = mb_allocator_allocate(a, 10, 1), *q = mb_allocator_allocate(a, 10, 1);
    assert_ptr_equal(q, p + 18);
    memset(p, 5, 12);
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    assert_int_equal(mb_allocator_corruption_events(a), 1);
    assert_int_equal(mb_canary_damaged(&canary), 0);
    assert_ptr_equal(mb_allocator_allocate(a, 10, 1), p);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// A ledger that cannot grow is an error before the base is asked.
static void refused_growth_changes_nothing(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    struct mb_allocator *a = over_region();
    assert_int_equal(mb_fault_os_arm(&always, MB_FAULT_OS_ALL), MB_OK);
    assert_null(mb_allocator_allocate(a, 10, 1));
    assert_int_equal(mb_allocator_last_error(a), MB_REFUSED);
    mb_fault_os_disarm();
    assert_int_equal(mb_region_allocated(&region.region), 0);
    for (int i = 0; i < 512; i++) assert_non_null(mb_allocator_allocate(a, 10, 1));
    assert_int_equal(mb_fault_os_arm(&always, MB_FAULT_OS_ALL), MB_OK);
    size_t allocated = mb_region_allocated(&region.region);
    assert_null(mb_allocator_allocate(a, 10, 1));
    assert_int_equal(mb_region_allocated(&region.region), allocated);
    mb_fault_os_disarm();
    assert_non_null(mb_allocator_allocate(a, 10, 1));
    assert_null(mb_allocator_allocate(a, (size_t)32 << 20, 1)); // the base is full: the promise is taken back
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    assert_int_equal(canary.ledger.promised, 0);
    assert_int_equal(mb_canary_damaged(&canary), 0);
    assert_null(mb_allocator_allocate(a, PTRDIFF_MAX, 1));
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_SIZE);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void config_of_another_version(void **state) {
    (void)state;
    struct mb_canary_config config = {1};
    libc_base_init(&libc, 0);
    assert_int_equal(mb_canary_init(&canary, &config, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(differs_by_place_and_ends_strings),
        cmocka_unit_test(mistakes_are_told_at_the_door),
        cmocka_unit_test(sizes_change_and_the_canary_follows),
        cmocka_unit_test(walk_visits_live_blocks),
        cmocka_unit_test(reset_looks_once_more),
        cmocka_unit_test(refused_growth_changes_nothing),
        cmocka_unit_test(config_of_another_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
