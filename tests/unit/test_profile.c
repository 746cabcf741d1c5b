// The heap profile of programs whose true profile is known: live and allocated bytes and blocks within 5 %, from at
// least 10,000 samples, in total and for each place in the code. The seed is fixed (MBMALLOC_OPTIONS), but the random
// draws also depend on other things. Therefore each test uses a sampling period with which 5 % is at least five
// standard deviations (expect_near checks that), so that none passes or fails by chance.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/front/malloc.h"
#include "core/heap/sampler.h"
#include "core/profile/profile.h"

enum { PERIOD = 4096, SAMPLES_MIN = 10000, BLOCKS_MAX = 1 << 20 };
static const double TOLERANCE = 0.05;

// --- the true profile ------------------------------------------------------------------------------------------------

struct truth {
    uint64_t live_blocks, live_bytes, all_blocks, all_bytes;
    uint64_t blocks_variance, bytes_variance; // of what the samples say of all_blocks, all_bytes
};

struct own_block {
    void *p;
    size_t bytes, drawn; // its length now, and when it was drawn or not
};
static struct own_block blocks[BLOCKS_MAX];
static struct truth truth;
static double period;

// The variance of a block's weight, which is 1/p with the probability p and else 0.
static double variance(size_t bytes) {
    double p = -expm1(-(double)bytes / period);
    return (1 - p) / p;
}

static void note(void *p, size_t i, size_t bytes) {
    assert_non_null(p);
    blocks[i] = (struct own_block){p, bytes, bytes};
    __atomic_fetch_add(&truth.blocks_variance, (uint64_t)variance(bytes), __ATOMIC_RELAXED);
    __atomic_fetch_add(&truth.bytes_variance, (uint64_t)(variance(bytes) * (double)bytes * (double)bytes), __ATOMIC_RELAXED);
    __atomic_fetch_add(&truth.live_blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&truth.live_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&truth.all_blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&truth.all_bytes, bytes, __ATOMIC_RELAXED);
}

static void forget(size_t i) {
    __atomic_fetch_sub(&truth.live_blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&truth.live_bytes, blocks[i].bytes, __ATOMIC_RELAXED);
}

static void take(size_t i, size_t bytes) { note(mb_malloc(bytes), i, bytes); }

static void give(size_t i) {
    forget(i);
    mb_free(blocks[i].p);
    blocks[i].p = NULL;
}

static void give_all(void) {
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        if (blocks[i].p != NULL) give(i);
    }
}

// --- what the profile says -------------------------------------------------------------------------------------------

struct sums {
    double weight[MB_PROFILE_VALUES], bytes[MB_PROFILE_VALUES];
};

static void sum_up(void *context, const struct mb_profile_stack *stack) {
    struct sums *sums = context;
    for (unsigned v = 0; v < MB_PROFILE_VALUES; v++) {
        sums->weight[v] += (double)atomic_load(&stack->of[v].weight) / (1 << MB_WEIGHT_SHIFT);
        sums->bytes[v] += (double)atomic_load(&stack->of[v].bytes);
    }
}

static struct sums sums(void) {
    struct sums all = {{0}, {0}};
    assert_true(mb_profile_walk(sum_up, &all));
    return all;
}

static void expect_near(const char *what, double is, double should, double variance_of_it) {
    if (5 * sqrt(variance_of_it) > should * TOLERANCE)
        fail_msg("%s: too few samples to tell: %.1f %%", what, 100 * sqrt(variance_of_it) / should);
    if (is >= should * (1 - TOLERANCE) && is <= should * (1 + TOLERANCE)) return;
    print_error("%s: %.0f instead of %.0f (%.3f)\n", what, is, should, is / should);
    fail();
}

static void expect_live(const struct sums *is) {
    double of_blocks = 0, of_bytes = 0;
    for (const struct own_block *block = blocks; block < blocks + BLOCKS_MAX; block++) {
        if (block->p == NULL) continue;
        of_blocks += variance(block->drawn);
        of_bytes += variance(block->drawn) * (double)block->bytes * (double)block->bytes;
    }
    expect_near("live bytes", is->bytes[MB_LIVE], (double)truth.live_bytes, of_bytes);
    expect_near("live blocks", is->weight[MB_LIVE], (double)truth.live_blocks, of_blocks);
    expect_near("the statistic of live bytes", (double)mb_profile_live_bytes(), (double)truth.live_bytes, of_bytes);
}

static void expect_truth(void) {
    struct sums is = sums();
    struct mb_profile_facts facts;
    mb_profile_facts(&facts);
    assert_true(facts.samples >= SAMPLES_MIN);
    assert_true(facts.lost_samples <= facts.samples / 1000); // a table that is two thirds full may lack a place for one
    expect_near("allocated bytes", is.bytes[MB_ALLOCATED], (double)truth.all_bytes, (double)truth.bytes_variance);
    expect_near("allocated blocks", is.weight[MB_ALLOCATED], (double)truth.all_blocks, (double)truth.blocks_variance);
    expect_live(&is);
}

static int start(uint64_t bytes) {
    period = (double)bytes;
    return mb_profile_start(bytes);
}

static int begin(void **state) {
    (void)state;
    memset(blocks, 0, sizeof blocks);
    truth = (struct truth){0};
    return start(PERIOD);
}

static int end(void **state) {
    (void)state;
    give_all();
    struct sums is = sums();
    mb_profile_stop();
    return is.weight[MB_LIVE] == 0 && is.bytes[MB_LIVE] == 0 ? 0 : 1; // nothing is live, and nothing is left in the table
}

// --- one thread ------------------------------------------------------------------------------------------------------

static void one_size(void **state) {
    (void)state;
    for (size_t i = 0; i < 700000; i++) take(i, 100);
    for (size_t i = 0; i < 700000; i += 3) give(i);
    expect_truth();
}

static void again_with(uint64_t bytes) {
    mb_profile_stop();
    assert_int_equal(start(bytes), 0);
}

static size_t mixed_size(struct mb_rng *rng) {
    size_t most = (size_t)16 << mb_rng_below(rng, 10);
    return 1 + mb_rng_below(rng, (uint32_t)most);
}

static void mixed_sizes(void **state) {
    (void)state;
    struct mb_rng rng = {7};
    again_with(40);
    for (size_t i = 0; i < 20000; i++) take(i, mixed_size(&rng));
    for (size_t step = 0; step < 40000; step++) {
        size_t i = mb_rng_below(&rng, 20000);
        give(i);
        take(i, mixed_size(&rng));
    }
    expect_truth();
}

// A few thousand are live at the end.
static void taken_and_freed_in_turn(void **state) {
    (void)state;
    for (size_t round = 0; round < 600000; round++) {
        take(0, 80);
        give(0);
    }
    for (size_t i = 0; i < 300000; i++) take(i, 200);
    expect_truth();
}

static void zeroed(void **state) {
    (void)state;
    struct mb_rng rng = {9};
    again_with(24);
    for (size_t i = 0; i < 20000; i++) {
        size_t bytes = mixed_size(&rng);
        unsigned char *p = mb_calloc(bytes, 1);
        note(p, i, bytes);
        for (size_t b = 0; b < bytes; b++) assert_int_equal(p[b], 0);
        memset(p, 0xa5, bytes);
        if (i % 2 == 0) give(i);
    }
    expect_truth();
}

static void aligned(void **state) {
    (void)state;
    struct mb_rng rng = {11};
    again_with(40);
    for (size_t i = 0; i < 20000; i++) {
        size_t align = (size_t)32 << mb_rng_below(&rng, 8), bytes = mixed_size(&rng);
        void *p = mb_memalign(align, bytes);
        assert_int_equal((uintptr_t)p % align, 0);
        note(p, i, bytes);
    }
    expect_truth();
}

// realloc in place and moved. A small block that stays keeps its place in the profile, with its new length.
static void resized(void **state) {
    (void)state;
    struct mb_rng rng = {13};
    again_with(40);
    for (size_t i = 0; i < 20000; i++) take(i, mixed_size(&rng));
    struct truth before = truth;
    for (size_t i = 0; i < 20000; i++) {
        size_t bytes = 1 + blocks[i].bytes + blocks[i].bytes * mb_rng_below(&rng, 16) / 16;
        void *p = mb_realloc(blocks[i].p, bytes);
        assert_non_null(p);
        bool stayed = p == blocks[i].p;
        if (stayed) {
            truth.live_bytes += bytes - blocks[i].bytes;
            blocks[i].bytes = bytes;
        } else {
            forget(i);
            note(p, i, bytes);
        }
    }
    assert_true(truth.all_blocks > before.all_blocks + 1000); // many have moved
    struct sums is = sums();
    expect_live(&is);
    expect_near("allocated bytes", is.bytes[MB_ALLOCATED], (double)truth.all_bytes, (double)truth.bytes_variance);
}

// Each step is an allocation of the new length, wherever the block comes to lie.
static void large_blocks_grow(void **state) {
    (void)state;
    again_with(32 << 10);
    struct mb_rng rng = {17};
    for (size_t i = 0; i < 12000; i++) {
        size_t bytes = (40 << 10) + mb_rng_below(&rng, 100 << 10);
        take(i, bytes);
        for (unsigned step = mb_rng_below(&rng, 4); step > 0; step--) {
            bytes += (64 << 10) + mb_rng_below(&rng, 64 << 10);
            forget(i);
            note(mb_realloc(blocks[i].p, bytes), i, bytes);
        }
        if (i % 3 != 0) give(i);
    }
    expect_truth();
}

static void large_blocks_shrink(void **state) {
    (void)state;
    again_with(96 << 10);
    for (size_t i = 0; i < 12000; i++) {
        take(i, 300 << 10);
        blocks[i].p = mb_realloc(blocks[i].p, 290 << 10);
        truth.live_bytes -= 10 << 10;
        blocks[i].bytes = 290 << 10;
        if (i % 4 != 0) give(i);
    }
    struct sums is = sums();
    expect_live(&is);
}

// --- threads ---------------------------------------------------------------------------------------------------------

enum { THREADS = 8, EACH = 60000 };

static void *allocate(void *argument) {
    size_t first = (size_t)(uintptr_t)argument * EACH;
    for (size_t i = first; i < first + EACH; i++) take(i, 120 + i % 13 * 12);
    return NULL;
}

static void *free_some(void *argument) {
    size_t first = (size_t)(uintptr_t)argument * EACH;
    for (size_t i = first; i < first + EACH; i += 3) give(i);
    return NULL;
}

static void run(void *(*body)(void *), size_t shift) {
    pthread_t thread[THREADS];
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, body, (void *)(uintptr_t)((t + shift) % THREADS)), 0);
    for (size_t t = 0; t < THREADS; t++) pthread_join(thread[t], NULL);
}

static void freed_by_other_threads(void **state) {
    (void)state;
    again_with(5000);
    run(allocate, 0);
    run(free_some, 1);
    expect_truth();
}

static void *allocate_few(void *argument) {
    size_t first = (size_t)(uintptr_t)argument;
    for (size_t i = first; i < first + 200; i++) take(i, 48 + i % 7 * 100);
    return NULL;
}

// Each thread allocates a few hundred blocks, most of them from the commons, and ends.
static void many_short_threads(void **state) {
    (void)state;
    again_with(3300);
    for (size_t t = 0; t < 1000; t++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, allocate_few, (void *)(uintptr_t)(t * 200)), 0);
        pthread_join(thread, NULL);
    }
    expect_truth();
}

// --- places, marks, peaks, children ----------------------------------------------------------------------------------

#define PLACE(name, size, first, count)                                                                                                    \
    __attribute__((section("profile_" #name), noinline)) static void name(void) {                                                          \
        for (size_t i = 0; i < (count); i++) take((first) + i, (size));                                                                    \
        __asm__ volatile("" : : : "memory");                                                                                               \
    }                                                                                                                                      \
    extern const char __start_profile_##name[], __stop_profile_##name[]
PLACE(few_long, 2000, 0, 12000);
PLACE(many_short, 24, 100000, 800000);

struct at {
    const char *start, *stop;
    double bytes;
};

static void sum_at(void *context, const struct mb_profile_stack *stack) {
    struct at *at = context;
    for (unsigned i = 0; i < stack->frames; i++) {
        uintptr_t address = mb_profile_frame(stack->frame[i]);
        if (address - (uintptr_t)at->start >= (uintptr_t)(at->stop - at->start)) continue;
        at->bytes += (double)atomic_load(&stack->of[MB_LIVE].bytes);
        return;
    }
}

static void each_place_has_its_own(void **state) {
    (void)state;
    again_with(1800);
    few_long();
    many_short();
    struct at few = {__start_profile_few_long, __stop_profile_few_long, 0},
              many = {__start_profile_many_short, __stop_profile_many_short, 0};
    assert_true(mb_profile_walk(sum_at, &few) && mb_profile_walk(sum_at, &many));
    expect_near("few long blocks", few.bytes, 12000.0 * 2000, 12000 * variance(2000) * 2000 * 2000);
    expect_near("many short blocks", many.bytes, 800000.0 * 24, 800000 * variance(24) * 24 * 24);
}

static void growth_and_peak(void **state) {
    (void)state;
    again_with(1800);
    for (size_t i = 0; i < 100000; i++) take(i, 300);
    for (size_t i = 0; i < 100000; i++) give(i);
    for (size_t i = 0; i < 50000; i++) take(i, 150);
    mb_profile_mark();
    for (size_t i = 50000; i < 100000; i++) take(i, 350);
    for (size_t i = 0; i < 10000; i++) give(i);
    struct sums is = sums();
    expect_near("grown bytes", is.bytes[MB_GROWN], 50000.0 * 350, 50000 * variance(350) * 350 * 350);
    expect_live(&is);
    assert_true(is.bytes[MB_PEAK] > 100000.0 * 300 * 0.89 && is.bytes[MB_PEAK] < 100000.0 * 300 * 1.05);
}

static void child_goes_on(void **state) {
    (void)state;
    for (size_t i = 0; i < 100000; i++) take(i, 200);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < 50000; i++) give(i);
        for (size_t i = 100000; i < 300000; i++) take(i, 200);
        struct sums is = sums();
        _exit(is.bytes[MB_LIVE] > 250000 * 200 * 0.95 && is.bytes[MB_LIVE] < 250000 * 200 * 1.05 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void sampled_blocks_are_blocks(void **state) {
    (void)state;
    again_with(1); // each block
    take(0, 100);
    size_t plain = mb_usable_size(blocks[0].p);
    give(0);
    for (size_t i = 0; i < 1000; i++) {
        take(i, 100);
        assert_int_equal((uintptr_t)blocks[i].p % 16, 0);
        assert_int_equal(mb_usable_size(blocks[i].p), plain);
        assert_true(mb_is_block(blocks[i].p));
        memset(blocks[i].p, (int)i, plain);
    }
    for (size_t i = 0; i < 1000; i++) assert_int_equal(*(unsigned char *)blocks[i].p, i % 256);
    struct sums is = sums();
    assert_true(is.weight[MB_LIVE] == 1000);
    void *p = blocks[500].p;
    give(500);
    assert_false(mb_is_block(p));
}

// Stacks that do not fit are counted, and the others are right.
static void more_than_fits(void **state) {
    (void)state;
    again_with(1);
    for (size_t i = 0; i < 100000; i++) take(i, 200);
    struct mb_profile_facts facts;
    mb_profile_facts(&facts);
    assert_int_equal(facts.samples, 100000);
    assert_true(facts.lost_samples > 60000 && facts.lost_samples < 100000);
    struct sums is = sums();
    assert_int_equal(is.bytes[MB_ALLOCATED], 100000 * 200);
    assert_int_equal(is.bytes[MB_LIVE], (100000 - facts.lost_samples) * 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(one_size),
        TEST(mixed_sizes),
        TEST(taken_and_freed_in_turn),
        TEST(zeroed),
        TEST(aligned),
        TEST(resized),
        TEST(large_blocks_grow),
        TEST(large_blocks_shrink),
        TEST(freed_by_other_threads),
        TEST(many_short_threads),
        TEST(each_place_has_its_own),
        TEST(growth_and_peak),
        TEST(child_goes_on),
        TEST(sampled_blocks_are_blocks),
        TEST(more_than_fits),
    };
    mb_free(mb_malloc(1)); // the options are read
    return cmocka_run_group_tests(tests, NULL, NULL);
}
