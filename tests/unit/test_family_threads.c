// All layers over a shared base, used by eight threads that exchange blocks: nothing is lost, no false report is made,
// and if two threads free the same block exactly one is reported.
#include <pthread.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/family/family.h"
#include "tests/support/bases.h"
#include "tests/unit/memory.h"

enum { THREADS = 8, STEPS = 4000, EXCHANGED = 256 };

static struct libc_base libc;
static struct mb_family *family;
static struct mb_allocator *shared;
static _Atomic unsigned watermark_events;

// The first 8 bytes of each block say how long it is, the rest repeats its low byte.
static _Atomic(char *) exchange[EXCHANGED];

static void count_event(void *context, const struct mb_watermark_event *event) {
    (void)event;
    watermark_events++;
    void *p = mb_allocator_allocate(context != NULL ? context : shared, 48, 16); // allowed: no lock is held
    mb_allocator_deallocate(shared, p, 48);
}

static char *block_made(size_t bytes) {
    char *p = mb_allocator_allocate(shared, bytes, 16);
    if (p == NULL) return NULL;
    memset(p, (int)(bytes & 0xff), bytes);
    memcpy(p, &bytes, sizeof bytes);
    return p;
}

static size_t bytes_of(const char *p) {
    size_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    for (size_t i = sizeof bytes; i < bytes; i++) assert_int_equal((unsigned char)p[i], bytes & 0xff);
    return bytes;
}

static char *resized(char *p, size_t old_bytes, size_t bytes) {
    char *q = bytes > old_bytes ? mb_allocator_grow(shared, p, old_bytes, bytes, 16)
                                : mb_allocator_shrink(shared, p, old_bytes, bytes, 16);
    if (q == NULL) return p;
    memset(q, (int)(bytes & 0xff), bytes);
    memcpy(q, &bytes, sizeof bytes);
    return q;
}

static void *work(void *argument) {
    struct mb_rng rng = {(uintptr_t)argument};
    struct mb_statistics_numbers numbers;
    for (int i = 0; i < STEPS; i++) {
        char *p = block_made(8 + mb_rng_below(&rng, 600));
        if (p != NULL && i % 5 == 0) p = resized(p, bytes_of(p), 8 + mb_rng_below(&rng, 600));
        char *other = atomic_exchange(&exchange[mb_rng_below(&rng, EXCHANGED)], p);
        if (other != NULL) assert_int_equal(mb_allocator_deallocate(shared, other, bytes_of(other)), MB_OK);
        if (i % 64 == 0) assert_int_equal(mb_family_statistics(family, &numbers), MB_OK); // at any time
        if (i % 512 == 0) assert_int_equal(mb_family_check(family), 0);                   // this too
    }
    return NULL;
}

static void run(void *(*act)(void *), uintptr_t count) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < count; i++) assert_int_equal(pthread_create(&threads[i], NULL, act, (void *)(i + 1)), 0);
    for (uintptr_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static void compose(bool guarded) {
    static const struct mb_statistics_config statistics = MB_STATISTICS_CONFIG;
    static const struct mb_fault_config fault = MB_FAULT_CONFIG(MB_FAULT_CHANCE, 20000);
    static const struct mb_guard_config guard = {sizeof guard, 16};
    static const struct mb_canary_config canary = MB_CANARY_CONFIG;
    static const struct mb_quarantine_config quarantine = {sizeof quarantine, 20000};
    static const struct mb_poison_config poison = {sizeof poison, 20000};
    struct mb_watermark_config watermark = MB_WATERMARK_CONFIG(count_event, NULL);
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    watermark.budget_bytes = 60000;
    options.policy = MB_POLICY_COUNT;
    options.statistics = &statistics, options.watermark = &watermark, options.fault = &fault, options.canary = &canary;
    options.quarantine = &quarantine, options.poison = &poison;
    if (guarded) options.guard = &guard;
    libc_base_init(&libc, 0);
    assert_int_equal(mb_family_compose(&options, &libc.api, &family), MB_OK);
    shared = mb_family_allocator(family);
    assert_true(mb_allocator_can(shared, MB_TRAIT_SHARED));
}

static void eight_threads_exchange_blocks(void **state) {
    (void)state;
    for (int guarded = 0; guarded < 2; guarded++) {
        struct mb_statistics_numbers numbers;
        size_t live = 0;
        compose(guarded);
        run(work, THREADS);
        for (int i = 0; i < EXCHANGED; i++) {
            char *p = atomic_load(&exchange[i]);
            if (p != NULL) live += bytes_of(p);
        }
        assert_int_equal(mb_family_statistics(family, &numbers), MB_OK);
        assert_int_equal(numbers.live_bytes, live);
        assert_int_equal(numbers.corruption, 0);
        assert_int_equal(mb_family_check(family), 0);
        assert_true(numbers.failures > 0 && watermark_events > 0);
        for (int i = 0; i < EXCHANGED; i++) {
            char *p = atomic_exchange(&exchange[i], NULL);
            if (p != NULL) assert_int_equal(mb_allocator_deallocate(shared, p, bytes_of(p)), MB_OK);
        }
        assert_int_equal(mb_family_drop(family), MB_OK);
        assert_int_equal(libc.live_blocks, 0);
        assert_true(libc.dropped);
    }
}

// --- double frees ----------------------------------------------------------------------------------------------------

static char *wanted[STEPS];
static _Atomic unsigned freed, told;

static void *free_all(void *argument) {
    (void)argument;
    for (int i = 0; i < STEPS; i++) {
        if (mb_allocator_deallocate(shared, wanted[i], 64) == MB_OK) freed++;
        else told++;
    }
    return NULL;
}

static void of_two_frees_one_is_told(void **state) {
    (void)state;
    for (int guarded = 0; guarded < 2; guarded++) {
        struct mb_fault_config never = MB_FAULT_CONFIG(MB_FAULT_NEVER, 0);
        compose(guarded);
        mb_family_arm(family, &never);
        for (int i = 0; i < STEPS; i++) assert_non_null(wanted[i] = mb_allocator_allocate(shared, 64, 16));
        freed = told = 0;
        run(free_all, 2);
        assert_int_equal(freed, STEPS);
        assert_int_equal(told, STEPS);
        assert_int_equal(mb_family_drop(family), MB_OK);
        assert_int_equal(libc.live_blocks, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_threads_exchange_blocks),
        cmocka_unit_test(of_two_frees_one_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
