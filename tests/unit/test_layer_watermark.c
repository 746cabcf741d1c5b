// The watermark layer: which events it reports, when, and in which order; and that a callback may allocate.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/harden/watermark.h"
#include "tests/support/bases.h"
#include "tests/unit/memory.h"

static struct libc_base libc;
static struct mb_watermark_shared watermark;

// The callbacks so far, as text: "+75 +90 -90 ! ".
static char told[4096];
static size_t allocate_in_callback; // bytes, once

static void note(void *context, const struct mb_watermark_event *event) {
    char *at = told + strlen(told);
    assert_ptr_equal(context, &watermark);
    if (event->kind == MB_WATERMARK_FAILURE) snprintf(at, 16, "! ");
    else snprintf(at, 16, "%c%u ", event->kind == MB_WATERMARK_RISING ? '+' : '-', event->percent);
    size_t bytes = allocate_in_callback;
    allocate_in_callback = 0;
    if (bytes != 0) assert_non_null(mb_allocator_allocate(&watermark.layer.api, bytes, 16));
}

static struct mb_allocator *made(size_t budget) {
    struct mb_watermark_config config = MB_WATERMARK_CONFIG(note, &watermark);
    config.budget_bytes = budget;
    libc_base_init(&libc, 0);
    told[0] = 0;
    assert_int_equal(mb_watermark_init(&watermark, &config, &libc.api), MB_OK);
    return &watermark.layer.api;
}

static void levels_rise_and_fall_with_hysteresis(void **state) {
    (void)state;
    struct mb_allocator *a = made(1000);
    void *p = mb_allocator_allocate(a, 740, 16), *q;
    assert_string_equal(told, "");
    for (int i = 0; i < 3; i++) { // up and down within the band: told once
        q = mb_allocator_allocate(a, 10, 16);
        assert_string_equal(told, "+75 ");
        mb_allocator_deallocate(a, q, 10);
    }
    q = mb_allocator_allocate(a, 200, 16);
    assert_string_equal(told, "+75 +90 ");
    mb_allocator_deallocate(a, q, 200); // 740: below 85, not below 70
    assert_string_equal(told, "+75 +90 -90 ");
    p = mb_allocator_shrink(a, p, 740, 699, 16);
    assert_string_equal(told, "+75 +90 -90 -75 ");
    p = mb_allocator_grow(a, p, 699, 950, 16);
    assert_string_equal(told, "+75 +90 -90 -75 +75 +90 ");
    mb_allocator_deallocate(a, p, 950);
    assert_string_equal(told, "+75 +90 -90 -75 +75 +90 -75 -90 ");
    assert_int_equal(mb_watermark_used(&watermark), 0);
}

static void failure_is_told_once_until_a_success(void **state) {
    (void)state;
    struct mb_allocator *a = made(1000000);
    libc.limit_bytes = 1000;
    assert_null(mb_allocator_allocate(a, 2000, 16));
    assert_null(mb_allocator_allocate_zeroed(a, 2000, 16));
    assert_string_equal(told, "! ");
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    void *p = mb_allocator_allocate(a, 100, 16);
    assert_null(mb_allocator_grow(a, p, 100, 2000, 16));
    assert_string_equal(told, "! ! ");
    mb_allocator_deallocate(a, p, 100);
}

// A callback that allocates crosses the next level itself, and after a failure it does not call itself.
static void callback_may_allocate(void **state) {
    (void)state;
    struct mb_allocator *a = made(1000);
    allocate_in_callback = 150;
    void *p = mb_allocator_allocate(a, 760, 16);
    assert_string_equal(told, "+75 +90 ");
    assert_int_equal(mb_watermark_used(&watermark), 910);
    libc.limit_bytes = 1000;
    allocate_in_callback = 20;
    assert_null(mb_allocator_allocate(a, 500, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    assert_string_equal(told, "+75 +90 ! ");
    mb_allocator_deallocate(a, p, 760);
    assert_string_equal(told, "+75 +90 ! -75 -90 ");
}

static void arena_is_measured_by_its_capacity(void **state) {
    (void)state;
    struct region_base region;
    struct mb_watermark_config config = MB_WATERMARK_CONFIG(note, &watermark);
    assert_int_equal(region_base_init(&region, 1 << 20, 0), MB_OK);
    assert_int_equal(mb_watermark_init(&watermark, &config, &region.api), MB_OK);
    struct mb_allocator *a = &watermark.layer.api;
    told[0] = 0;
    void *p = mb_allocator_allocate(a, (1 << 20) / 4 * 3, 16);
    assert_string_equal(told, "+75 ");
    assert_int_equal(mb_allocator_deallocate(a, p, (1 << 20) / 4 * 3), MB_OK); // takes nothing back
    assert_string_equal(told, "+75 ");
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    assert_string_equal(told, "+75 -75 ");
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void assert_refused(struct mb_watermark_config config) {
    assert_int_equal(mb_watermark_init(&watermark, &config, &libc.api), MB_BAD_CONFIG);
}

static void cannot_act(void **state) {
    (void)state;
    const struct mb_watermark_config good = {sizeof good, note, NULL, 1000, {50, 60, 70, 80}, 10};
    struct mb_watermark_config config;
    libc_base_init(&libc, 0);
    assert_int_equal(mb_watermark_init(&watermark, &good, &libc.api), MB_OK);
    config = good, config.budget_bytes = 0, assert_refused(config); // unbounded
    config = good, config.callback = NULL, assert_refused(config);
    config = good, config.percent[0] = 0, assert_refused(config);
    config = good, config.percent[1] = 40, assert_refused(config);
    config = good, config.percent[1] = 0, assert_refused(config);
    config = good, config.percent[3] = 101, assert_refused(config);
    config = good, config.hysteresis_percent = 50, assert_refused(config);
    config = good, config.size = 8, assert_refused(config);
}

// --- threads ---------------------------------------------------------------------------------------------------------

static _Atomic int balance[MB_WATERMARK_LEVELS + 1];
static _Atomic unsigned rises;

static void tally(void *context, const struct mb_watermark_event *event) {
    (void)context;
    int level = event->percent == 90;
    balance[level] += event->kind == MB_WATERMARK_RISING ? 1 : -1;
    rises += event->kind == MB_WATERMARK_RISING;
}

static void *saw(void *argument) {
    for (int i = 0; i < 2000; i++) {
        void *p = mb_allocator_allocate(&watermark.layer.api, 240, 16);
        mb_allocator_deallocate(&watermark.layer.api, p, 240);
    }
    return argument;
}

// After all threads have freed everything, each level has reported as many rises as falls.
static void threads_leave_levels_balanced(void **state) {
    (void)state;
    struct mb_watermark_config config = MB_WATERMARK_CONFIG(tally, NULL);
    pthread_t threads[8];
    config.budget_bytes = 1000;
    libc_base_init(&libc, 0);
    assert_int_equal(mb_watermark_init(&watermark, &config, &libc.api), MB_OK);
    for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, saw, NULL), 0);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    void *p = mb_allocator_allocate(&watermark.layer.api, 950, 16); // certain to cross both
    mb_allocator_deallocate(&watermark.layer.api, p, 950);
    assert_int_equal(mb_watermark_used(&watermark), 0);
    assert_true(rises >= 2);
    assert_int_equal(balance[0], 0);
    assert_int_equal(balance[1], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_rise_and_fall_with_hysteresis),
        cmocka_unit_test(failure_is_told_once_until_a_success),
        cmocka_unit_test(callback_may_allocate),
        cmocka_unit_test(arena_is_measured_by_its_capacity),
        cmocka_unit_test(cannot_act),
        cmocka_unit_test(threads_leave_levels_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
