// The lengths of large blocks: enough, at most an eighth too long, few, each with its cache; what else may serve.
#include "core/heap/large_length.h"
#include "tests/unit/memory.h"

enum { LENGTHS_IN_OCTAVE = 8, OCTAVES = 4, FAR = 3 * MB_LARGE_SHORT_MAX };

static bool loses_an_eighth_at_most(size_t length, size_t needed) { return length >= needed && (length - needed) * 8 <= length; }

static void test_enough_and_not_much_more(void **state) {
    (void)state;
    for (size_t needed = 1; needed <= FAR; needed++) {
        size_t length = mb_large_length(needed - 1);
        assert_true(loses_an_eighth_at_most(length, needed));
        if (needed < MB_LARGE_SHORT_MIN || needed > MB_LARGE_SHORT_MAX) assert_int_equal(length, needed);
    }
}

static void test_few_lengths(void **state) {
    (void)state;
    size_t lengths = 0, last = 0;
    for (size_t needed = MB_LARGE_SHORT_MIN; needed <= MB_LARGE_SHORT_MAX; needed++) {
        size_t length = mb_large_length(needed - 1);
        assert_int_equal(mb_large_length(length - 1), length); // what a block of a length needs is that length
        assert_true(length <= MB_LARGE_SHORT_MAX);
        if (length != last) lengths++;
        last = length;
    }
    assert_int_equal(lengths, LENGTHS_IN_OCTAVE * OCTAVES);
}

// Each request looks where blocks of its length are kept; the next length is in the next cache.
static void test_caches(void **state) {
    (void)state;
    for (size_t needed = MB_LARGE_SHORT_MIN; needed <= MB_LARGE_SHORT_MAX; needed++) {
        struct mb_large_place at = mb_large_place_of(needed - 1, MB_LARGE_SHORT_LENGTHS);
        struct mb_large_place kept = mb_large_place_of(at.pieces - 1, MB_LARGE_SHORT_LENGTHS);
        struct mb_large_place next = mb_large_place_of(at.pieces, MB_LARGE_SHORT_LENGTHS);
        assert_true(at.set < MB_LARGE_LONG_SET);
        assert_int_equal(kept.set, at.set);
        if (at.pieces < MB_LARGE_SHORT_MAX) assert_int_equal(next.set, (at.set + 1) % MB_LARGE_LONG_SET);
    }
}

static void test_long_cache(void **state) {
    (void)state;
    for (size_t needed = 1; needed <= FAR; needed++) {
        bool is_short = needed >= MB_LARGE_SHORT_MIN && needed <= MB_LARGE_SHORT_MAX;
        assert_int_equal(mb_large_place_of(needed - 1, MB_LARGE_SHORT_LENGTHS).set == MB_LARGE_LONG_SET, !is_short);
        assert_int_equal(mb_large_place_of(needed - 1, 0).set, MB_LARGE_LONG_SET); // too many heaps
    }
}

static void test_what_may_serve(void **state) {
    (void)state;
    for (size_t needed = MB_LARGE_SHORT_MIN; needed <= FAR; needed++) {
        size_t longest = mb_large_longest_for(needed);
        assert_true(mb_large_length(needed - 1) <= longest);
        assert_true(loses_an_eighth_at_most(longest, needed));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enough_and_not_much_more),
        cmocka_unit_test(test_few_lengths),
        cmocka_unit_test(test_caches),
        cmocka_unit_test(test_long_cache),
        cmocka_unit_test(test_what_may_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
