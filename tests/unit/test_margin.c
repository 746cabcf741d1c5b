// How much free memory may stay resident: little; a fraction of a large heap; what was freed at once a moment ago. More
// if memory was purged and soon needed again; after a long time this starts anew. The clock is the test's own (the
// linker puts it in front of the system's), and so is the size of the heap.
#include "core/base/config.h"
#include "core/region/margin.h"
#include "core/region/space.h"
#include "platform/os.h"
#include "tests/unit/memory.h"

enum { LEAST = MB_MARGIN_MIN_UNITS, WARM = MB_MARGIN_WARM_UNITS, MORE = MB_MARGIN_MORE_UNITS };
static const uint64_t SECOND = UINT64_C(1000000000);
static uint64_t now = UINT64_C(1000000000000);

uint64_t __wrap_mb_os_now_ns(void);
uint64_t __wrap_mb_os_now_ns(void) { return now; }

static int forget(void **state) {
    (void)state;
    now += 1000 * SECOND;
    mb_margin_owe(1);
    now += 1000 * SECOND;
    assert_int_equal(mb_margin_units(), LEAST);
    return 0;
}

static void what_was_never_given_back_is_not_missed(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) mb_margin_taken_cold(1000);
    assert_int_equal(mb_margin_units(), LEAST);
}

static void it_grows_by_what_is_missed(void **state) {
    (void)state;
    mb_margin_owe(100);
    mb_margin_taken_cold(30);
    assert_int_equal(mb_margin_units(), LEAST + 30);
    now += SECOND / 2;
    mb_margin_taken_cold(1000); // of which it would have saved the rest
    assert_int_equal(mb_margin_units(), LEAST + 100);
    mb_margin_taken_cold(1000);
    assert_int_equal(mb_margin_units(), LEAST + 100);
}

static void what_is_owed_adds_up(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        mb_margin_owe(20);
        now += SECOND / 2;
    }
    mb_margin_taken_cold(1000);
    assert_int_equal(mb_margin_units(), LEAST + 100);
}

static void who_comes_later_has_done_without(void **state) {
    (void)state;
    mb_margin_owe(100);
    now += 2 * SECOND;
    mb_margin_taken_cold(30);
    assert_int_equal(mb_margin_units(), LEAST);
    now -= 3 * SECOND / 2; // and it is forgotten
    mb_margin_taken_cold(30);
    assert_int_equal(mb_margin_units(), LEAST);
}

static void nor_are_earlier_debts_added(void **state) {
    (void)state;
    mb_margin_owe(20);
    now += 2 * SECOND;
    mb_margin_owe(30);
    mb_margin_taken_cold(1000);
    assert_int_equal(mb_margin_units(), LEAST + 30);
}

// Time seems to go back when a thread reads the clock before another thread does, and stores its value later.
static void the_clock_may_go_back_a_little(void **state) {
    (void)state;
    mb_margin_owe(100);
    now -= 1000;
    mb_margin_taken_cold(40);
    mb_margin_owe(10);
    now -= 1000;
    mb_margin_owe(10);
    assert_int_equal(mb_margin_units(), LEAST + 40);
    mb_margin_freed(200);
    now -= 1000;
    mb_margin_freed(100);
    assert_int_equal(mb_margin_units(), 200 + 40);
}

static void a_refusal_holds_for_a_second(void **state) {
    (void)state;
    assert_false(mb_margin_is_refused());
    mb_margin_owe(100);
    assert_false(mb_margin_is_refused());
    mb_margin_owe(0);
    assert_true(mb_margin_is_refused());
    now += SECOND;
    assert_false(mb_margin_is_refused());
    mb_margin_taken_cold(100); // nothing is owed any more
    assert_int_equal(mb_margin_units(), LEAST);
}

static void it_has_an_end(void **state) {
    (void)state;
    mb_margin_owe(100000);
    mb_margin_taken_cold(100000);
    assert_int_equal(mb_margin_units(), LEAST + MORE);
}

static void it_begins_anew_when_nobody_missed_anything_for_long(void **state) {
    (void)state;
    mb_margin_owe(100);
    mb_margin_taken_cold(100);
    now += 19 * SECOND;
    mb_margin_owe(16);
    assert_int_equal(mb_margin_units(), LEAST + 100);
    now += 2 * SECOND;
    mb_margin_owe(16);
    assert_int_equal(mb_margin_units(), LEAST);
}

static void a_long_span_may_wait_for_a_second(void **state) {
    (void)state;
    mb_margin_freed(1);
    mb_margin_freed(LEAST);
    assert_int_equal(mb_margin_units(), LEAST);
    mb_margin_freed(200);
    now += SECOND / 2;
    mb_margin_freed(50);
    assert_int_equal(mb_margin_units(), 200);
    now += SECOND / 2;
    mb_margin_freed(60);
    assert_int_equal(mb_margin_units(), 60);
    now += SECOND;
    assert_int_equal(mb_margin_units(), LEAST);
    mb_margin_freed(100000);
    assert_int_equal(mb_margin_units(), WARM);
}

// It is a bound as long as it is no more than the margin takes by itself.
static void who_asks_for_more_has_it(void **state) {
    (void)state;
    assert_int_equal(mb_margin_asked_units(), 0);
    mb_margin_bound(1 << 20);
    assert_int_equal(mb_margin_units(), 16);
    assert_int_equal(mb_margin_asked_units(), 0);
    mb_margin_bound((size_t)1 << 30);
    assert_int_equal(mb_margin_units(), 1 << 14);
    assert_int_equal(mb_margin_of_warm(mb_margin_units()), 1 << 14);
    mb_margin_bound(SIZE_MAX);
    assert_int_equal(mb_margin_asked_units(), SIZE_MAX >> MB_UNIT_SHIFT);
    mb_margin_bound(MB_MARGIN_ASKED_UNITS * (size_t)MB_UNIT_BYTES - 1);
    assert_int_equal(mb_margin_asked_units(), 0);
    assert_int_equal(mb_margin_units(), LEAST);
}

static void free_spans_may_be_what_was_missed(void **state) {
    (void)state;
    assert_int_equal(mb_margin_of_warm(100000), WARM);
    mb_margin_owe(300);
    mb_margin_taken_cold(200);
    assert_int_equal(mb_margin_of_warm(100000), WARM + 25);
    assert_int_equal(mb_margin_of_warm(100), 100);
}

static void a_large_heap_may_keep_a_share(void **state) {
    (void)state;
    size_t bytes = mb_space.bytes;
    mb_space.bytes = (size_t)64 << 20;
    assert_int_equal(mb_margin_units(), (8 << 20) >> MB_UNIT_SHIFT);
    mb_space.bytes = (size_t)1 << 40;
    assert_int_equal(mb_margin_units(), WARM);
    mb_margin_owe(100000);
    mb_margin_taken_cold(100000);
    assert_int_equal(mb_margin_units(), WARM + 100000 / 8);
    mb_margin_owe((size_t)1 << 40);
    mb_margin_taken_cold((size_t)1 << 40);
    assert_int_equal(mb_margin_units(), WARM + (mb_space.bytes >> MB_UNIT_SHIFT) / 4);
    mb_space.bytes = bytes;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_never_given_back_is_not_missed, forget),
        cmocka_unit_test_setup(it_grows_by_what_is_missed, forget),
        cmocka_unit_test_setup(what_is_owed_adds_up, forget),
        cmocka_unit_test_setup(who_comes_later_has_done_without, forget),
        cmocka_unit_test_setup(nor_are_earlier_debts_added, forget),
        cmocka_unit_test_setup(the_clock_may_go_back_a_little, forget),
        cmocka_unit_test_setup(a_refusal_holds_for_a_second, forget),
        cmocka_unit_test_setup(it_has_an_end, forget),
        cmocka_unit_test_setup(a_long_span_may_wait_for_a_second, forget),
        cmocka_unit_test_setup(free_spans_may_be_what_was_missed, forget),
        cmocka_unit_test_setup(a_large_heap_may_keep_a_share, forget),
        cmocka_unit_test_setup(it_begins_anew_when_nobody_missed_anything_for_long, forget),
        cmocka_unit_test_setup(who_asks_for_more_has_it, forget), // last: what is asked for stays
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
