// What: the assumptions of the fast paths of malloc and free: the table of size classes, and that every slow path of
// free can compute the pointer from its arguments.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/front/fast.h"
#include "core/front/malloc.h"
#include "core/large/outside.h"
#include "core/process/init.h"
#include "core/region/large_record.h"
#include "core/region/pieces.h"

static void the_table_agrees_with_the_rule(void **state) {
    (void)state;
    for (size_t bytes = 0; bytes <= MB_SMALL_MAX; bytes++) assert_int_equal(mb_small_class_of[bytes], mb_class_of(bytes));
    for (unsigned c = 0; c < MB_CLASSES; c++) {
        assert_int_equal(mb_class_of(mb_class_bytes(c)), c);
        if (c > 0) assert_int_equal(mb_class_of(mb_class_bytes(c - 1) + 1), c);
    }
}

static void *outside_block(void) {
    void *p = mb_outside_alloc(1, 10000);
    assert_non_null(p);
    assert_false(mb_space_contains(p));
    memset(p, 1, 10000);
    return p;
}

// Another thread initialises the library between the fast path's and the slow path's look at the base.
static void a_base_that_was_read_too_early_is_known(void **state) {
    (void)state;
    mb_free(mb_malloc(1));
    for (int had_threads = 0; had_threads < 2; had_threads++) {
        atomic_store(&mb_init_shared.had_threads, had_threads != 0);
        void *p = outside_block();
        mb_free_outside_slow((uintptr_t)p - mb_space.base);
        assert_int_equal(mb_outside_bytes(p), 0);
        mb_free_outside_slow((uintptr_t)0 - mb_space.base);
    }
    void *p = outside_block();
    mb_free_outside_slow((uintptr_t)p - MB_SPACE_NOWHERE);
    assert_int_equal(mb_outside_bytes(p), 0);
    mb_free_outside_slow((uintptr_t)0 - MB_SPACE_NOWHERE);
}

static const size_t MIB = (size_t)1 << 20;

// The offset of a large block follows from a product, as that of a small block.
static void a_large_block_goes_the_way_of_a_small_one(void **state) {
    (void)state;
    static const size_t sizes[] = {40000, 65536, 300000, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = mb_malloc(sizes[i]);
        assert_non_null(p);
        const struct mb_slab *large = mb_large_of_piece(mb_piece_of(p));
        struct mb_halves product = mb_slab_product(large, 4711);
        assert_true(product.low >= large->bound);
        assert_int_equal((product.high << 32 | product.low) / large->multiplier, 4711);
        mb_free(p);
        assert_false(mb_is_block(p));
    }
    // A unit that was a slab before.
    void *small[3000];
    for (size_t i = 0; i < 3000; i++) assert_non_null(small[i] = mb_malloc(500));
    for (size_t i = 0; i < 3000; i++) mb_free(small[i]);
    mb_trim(0);
    void *p = mb_malloc(MIB);
    assert_int_equal(mb_unit_of(p)->slab.multiplier, 1);
    mb_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_agrees_with_the_rule),
        cmocka_unit_test(a_base_that_was_read_too_early_is_known),
        cmocka_unit_test(a_large_block_goes_the_way_of_a_small_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
