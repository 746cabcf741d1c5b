// The statistics layer: every number is compared with a separate count, with one thread and with eight.
#include <pthread.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/harden/fault.h"
#include "core/harden/statistics.h"
#include "tests/support/bases.h"
#include "tests/unit/memory.h"

static struct libc_base libc;
static struct mb_statistics_shared statistics;

static struct mb_allocator *made(size_t grain, uint32_t traits_missing) {
    struct mb_statistics_config config = MB_STATISTICS_CONFIG;
    config.peak_grain_bytes = grain;
    libc_base_init(&libc, traits_missing);
    assert_int_equal(mb_statistics_init(&statistics, &config, &libc.api), MB_OK);
    return &statistics.layer.api;
}

static void assert_numbers(uint64_t allocations, uint64_t frees, uint64_t live, uint64_t peak, uint64_t failures) {
    struct mb_statistics_numbers now = mb_statistics_read(&statistics);
    assert_int_equal(now.allocations, allocations);
    assert_int_equal(now.frees, frees);
    assert_int_equal(now.live_bytes, live);
    assert_int_equal(now.peak_bytes, peak);
    assert_int_equal(now.failures, failures);
    assert_int_equal(now.corruption, 0);
}

static void counts_each_call(void **state) {
    (void)state;
    for (int alone = 0; alone < 2; alone++) {
        struct mb_allocator *a = made(0, alone ? MB_TRAIT_SHARED : 0);
        assert_numbers(0, 0, 0, 0, 0);
        char *p = mb_allocator_allocate(a, 100, 16), *q = mb_allocator_allocate_zeroed(a, 50, 64);
        assert_numbers(2, 0, 150, 150, 0);
        p = mb_allocator_grow(a, p, 100, 300, 16);
        assert_numbers(2, 0, 350, 350, 0);
        p = mb_allocator_shrink(a, p, 300, 10, 16);
        assert_numbers(2, 0, 60, 350, 0);
        assert_int_equal(mb_allocator_deallocate(a, q, 50), MB_OK);
        assert_numbers(2, 1, 10, 350, 0);
        libc.limit_bytes = 100;
        assert_null(mb_allocator_allocate(a, 1000, 16));
        assert_null(mb_allocator_grow(a, p, 10, 1000, 16));
        assert_int_equal(mb_allocator_last_error(a), MB_FULL);
        assert_null(mb_allocator_allocate(a, 0, 16)); // refused before any layer is asked
        assert_numbers(2, 1, 10, 350, 2);
        assert_int_equal(mb_allocator_deallocate(a, p, 10), MB_OK);
        assert_numbers(2, 2, 0, 350, 2);
        assert_int_equal(mb_allocator_reset(a), MB_UNSUPPORTED);
        assert_numbers(2, 2, 0, 350, 3);
        assert_int_equal(mb_allocator_drop(a), MB_OK);
        assert_true(libc.dropped);
    }
}

static void an_arena_holds_until_its_reset(void **state) {
    (void)state;
    struct region_base region;
    struct mb_statistics_config config = MB_STATISTICS_CONFIG;
    assert_int_equal(region_base_init(&region, 1 << 20, 0), MB_OK);
    assert_int_equal(mb_statistics_init(&statistics, &config, &region.api), MB_OK);
    struct mb_allocator *a = &statistics.layer.api;
    void *p = mb_allocator_allocate(a, 1000, 16);
    assert_int_equal(mb_allocator_deallocate(a, p, 1000), MB_OK);
    assert_numbers(1, 1, 1000, 1000, 0);
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    assert_numbers(1, 1, 0, 1000, 0);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// --- eight threads ---------------------------------------------------------------------------------------------------

enum { THREADS = 8, STEPS = 20000, HELD = 64 };

struct tally {
    uint64_t seed, allocations, frees, failures, live;
    void *held[HELD];
    size_t bytes[HELD];
};

static void step(struct mb_allocator *a, struct tally *tally, struct mb_rng *rng) {
    uint32_t i = mb_rng_below(rng, HELD);
    if (tally->held[i] != NULL) {
        mb_allocator_deallocate(a, tally->held[i], tally->bytes[i]);
        tally->frees++;
        tally->live -= tally->bytes[i];
        tally->held[i] = NULL;
        return;
    }
    size_t bytes = 1 + mb_rng_below(rng, 500);
    tally->held[i] = mb_allocator_allocate(a, bytes, 16);
    tally->bytes[i] = bytes;
    if (tally->held[i] == NULL) tally->failures++;
    else tally->allocations++, tally->live += bytes;
}

static void *work(void *argument) {
    struct tally *tally = argument;
    struct mb_rng rng = {tally->seed};
    for (int k = 0; k < STEPS; k++) step(&statistics.layer.api, tally, &rng);
    return NULL;
}

static void eight_threads_are_counted_exactly(void **state) {
    (void)state;
    for (size_t grain = 0; grain <= 4096; grain += 4096) {
        static struct tally tallies[THREADS];
        struct tally sum = {0};
        pthread_t threads[THREADS];
        struct mb_allocator *a = made(grain, 0);
        libc.limit_bytes = 50000; // so that some requests fail
        memset(tallies, 0, sizeof tallies);
        for (unsigned i = 0; i < THREADS; i++) {
            tallies[i].seed = i + 1;
            assert_int_equal(pthread_create(&threads[i], NULL, work, &tallies[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        for (unsigned i = 0; i < THREADS; i++) {
            sum.allocations += tallies[i].allocations;
            sum.frees += tallies[i].frees;
            sum.failures += tallies[i].failures;
            sum.live += tallies[i].live;
        }
        struct mb_statistics_numbers now = mb_statistics_read(&statistics);
        assert_int_equal(now.allocations, sum.allocations);
        assert_int_equal(now.frees, sum.frees);
        assert_int_equal(now.failures, sum.failures);
        assert_int_equal(now.live_bytes, sum.live);
        assert_true(now.peak_bytes >= sum.live);
        assert_true(sum.failures > 0 && now.peak_bytes <= 50000 + 16 * grain + THREADS * 500);
        for (unsigned i = 0; i < THREADS; i++)
            for (unsigned k = 0; k < HELD; k++) mb_allocator_deallocate(a, tallies[i].held[k], tallies[i].bytes[k]);
        assert_int_equal(libc.live_blocks, 0);
    }
}

static void config_of_another_version(void **state) {
    (void)state;
    struct { struct mb_statistics_config known; size_t unknown; } later = {MB_STATISTICS_CONFIG, 0};
    libc_base_init(&libc, 0);
    later.known.size = sizeof later;
    assert_int_equal(mb_statistics_init(&statistics, &later.known, &libc.api), MB_OK);
    later.unknown = 1;
    assert_int_equal(mb_statistics_init(&statistics, &later.known, &libc.api), MB_BAD_CONFIG);
    later.known.size = 4;
    assert_int_equal(mb_statistics_init(&statistics, &later.known, &libc.api), MB_BAD_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_each_call),
        cmocka_unit_test(an_arena_holds_until_its_reset),
        cmocka_unit_test(eight_threads_are_counted_exactly),
        cmocka_unit_test(config_of_another_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
