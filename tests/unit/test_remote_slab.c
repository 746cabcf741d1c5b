// The remote slab: an owner that only waits while a million slots are freed to it, an owner that ends before the
// remotes, adoption, several threads at once; misuse by remotes. Nothing is lost, nothing is handed out twice.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/layout/remote_slab.h"
#include "core/region/region_allocator.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

enum { MILLION = 1000000, THREADS = 4, SLOT = 48 };

static void **slots;
static struct mb_remote_handle_shared handle;

static struct mb_remote_slab made(enum mb_policy policy, struct mb_allocator *base) {
    struct mb_remote_slab slab;
    struct mb_source_config config = MB_SOURCE_CONFIG((size_t)1 << 32);
    config.base = base;
    config.policy = policy;
    assert_int_equal(mb_remote_slab_new_with(&slab, SLOT, 16, &config), MB_OK);
    return slab;
}

static void take_all(struct mb_remote_slab *slab, size_t count) {
    for (size_t i = 0; i < count; i++) {
        slots[i] = mb_remote_slab_take(slab);
        assert_non_null(slots[i]);
        *(size_t *)slots[i] = i;
        ((size_t *)slots[i])[2] = ~i;
    }
}

static void *give_share(void *argument) { // every THREADS-th slot, from the first or from the last
    size_t first = (size_t)(uintptr_t)argument;
    for (size_t i = first; i < MILLION; i += THREADS) {
        size_t pick = first % 2 == 0 ? i : MILLION - THREADS + 2 * first - i;
        assert_int_equal(*(size_t *)slots[pick], pick);
        assert_int_equal(((size_t *)slots[pick])[2], ~pick);
        assert_int_equal(mb_remote_handle_give(&handle, slots[pick]), MB_OK);
    }
    return NULL;
}

static void give_all_from_threads(void) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, give_share, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

// One slot that its owner freed is on no list: it counts as free, keeps no slab for ever, and is not freed twice.
static void the_owners_spare_slot(void **state) {
    (void)state;
    enum { FEW = 100 };
    struct mb_remote_slab slab = made(MB_POLICY_COUNT, NULL);
    mb_remote_slab_handle(&slab, &handle);
    take_all(&slab, FEW);
    assert_int_equal(mb_remote_slab_give(&slab, slots[0]), MB_OK);
    assert_int_equal(mb_remote_handle_give(&handle, slots[0]), MB_DOUBLE_FREE);
    assert_int_equal(mb_remote_slab_give(&slab, slots[0]), MB_DOUBLE_FREE);
    assert_int_equal(mb_remote_slab_live(&slab), FEW - 1);
    for (size_t i = 1; i < FEW; i++) assert_int_equal(mb_remote_handle_give(&handle, slots[i]), MB_OK);
    assert_int_equal(mb_remote_slab_live(&slab), 0);
    assert_true(mb_remote_slab_trim(&slab) != 0);
    take_all(&slab, FEW);
    for (size_t i = 0; i < FEW; i++) assert_int_equal(mb_remote_slab_give(&slab, slots[i]), MB_OK);
    assert_int_equal(mb_allocator_corruption_events(&slab.allocator), 2);
    assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
    assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
}

// --- a million -------------------------------------------------------------------------------------------------------

static void the_owner_waits_in_join(void **state) {
    (void)state;
    struct mb_remote_slab slab = made(MB_POLICY_COUNT, NULL);
    mb_remote_slab_handle(&slab, &handle);
    take_all(&slab, MILLION);
    assert_int_equal(mb_remote_slab_live(&slab), MILLION);
    give_all_from_threads();
    assert_int_equal(mb_remote_slab_live(&slab), 0);
    void *highest = slots[0];
    for (size_t i = 0; i < MILLION; i++) highest = slots[i] > highest ? slots[i] : highest;
    uintptr_t end = mb_align_up((uintptr_t)highest + 1, MB_UNIT_BYTES);
    take_all(&slab, MILLION); // all of them are there again: the memory has not grown
    for (size_t i = 0; i < MILLION; i++) assert_true((uintptr_t)slots[i] < end);
    give_all_from_threads();
    assert_true(mb_remote_slab_trim(&slab) > (size_t)40 << 20);
    assert_int_equal(mb_remote_slab_live(&slab), 0);
    assert_int_equal(mb_allocator_corruption_events(&slab.allocator), 0);
    assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
    assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
}

static void the_owner_dies_first(void **state) {
    (void)state;
    struct mb_remote_slab slab = made(MB_POLICY_COUNT, NULL), heir, second;
    mb_remote_slab_handle(&slab, &handle);
    take_all(&slab, MILLION);
    assert_int_equal(mb_remote_handle_adopt(&handle, &heir), MB_BAD_CONFIG); // there is an owner
    assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
    give_all_from_threads();
    assert_int_equal(mb_remote_handle_adopt(&handle, &heir), MB_OK);
    assert_int_equal(mb_remote_handle_adopt(&handle, &second), MB_BAD_CONFIG);
    assert_int_equal(mb_remote_slab_live(&heir), 0);
    take_all(&heir, MILLION);
    for (size_t i = 0; i < MILLION; i++) assert_int_equal(mb_remote_slab_give(&heir, slots[i]), MB_OK);
    assert_int_equal(mb_remote_slab_live(&heir), 0);
    assert_int_equal(mb_allocator_corruption_events(&heir.allocator), 0);
    assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
    assert_int_equal(mb_remote_slab_drop(&heir), MB_OK);
}

// The last part returns everything, whichever it is.
static void everything_is_returned_in_the_end(void **state) {
    (void)state;
    struct kernel_mapping mapping;
    for (int owner_first = 0; owner_first < 2; owner_first++) {
        struct mb_remote_slab slab = made(MB_POLICY_COUNT, NULL);
        struct mb_remote_handle_shared a, b;
        mb_remote_slab_handle(&slab, &a);
        mb_remote_handle_copy(&a, &b);
        char *p = mb_remote_slab_take(&slab);
        void *common = slab.shared;
        if (owner_first != 0) assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
        assert_int_equal(mb_remote_handle_drop(&a), MB_OK);
        p[0] = 1;
        assert_int_equal(mb_remote_handle_give(&b, p), MB_OK);
        assert_int_equal(mb_remote_handle_drop(&b), MB_OK);
        if (owner_first == 0) {
            assert_non_null(mb_remote_slab_take(&slab));
            assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
        }
        assert_false(kernel_mapping_at(common, &mapping));
        assert_false(kernel_mapping_at(p, &mapping));
    }
}

// --- traffic ---------------------------------------------------------------------------------------------------------

enum { RING = 512, ROUNDS = 60000 };

static struct ring_shared {
    _Atomic(size_t *) cells[RING];
} rings[THREADS];
static _Atomic bool over;

// Checks that no other thread has the slot, and frees it.
static void *drain(void *argument) {
    struct ring_shared *ring = argument;
    for (bool last = false; !last;) {
        last = atomic_load(&over); // then this round is the last
        for (size_t at = 0; at < RING; at++) {
            size_t *p = atomic_exchange(&ring->cells[at], NULL);
            if (p == NULL) continue;
            assert_int_equal(p[0] ^ p[2], (uintptr_t)p);
            assert_int_equal(mb_remote_handle_give(&handle, p), MB_OK);
        }
    }
    return NULL;
}

static void slots_go_round(void **state) {
    (void)state;
    struct mb_remote_slab slab = made(MB_POLICY_COUNT, NULL);
    mb_remote_slab_handle(&slab, &handle);
    atomic_store(&over, false);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, drain, &rings[i]), 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t t = 0; t < THREADS; t++) {
            size_t *p = mb_remote_slab_take(&slab);
            assert_non_null(p);
            p[0] = round;
            p[2] = round ^ (uintptr_t)p;
            p = atomic_exchange(&rings[t].cells[round * 7 % RING], p);
            if (p != NULL) assert_int_equal(mb_remote_slab_give(&slab, p), MB_OK); // the drain was too slow
        }
        if (round % 10000 == 9999) mb_remote_slab_trim(&slab);
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(mb_remote_slab_live(&slab), 0);
    assert_int_equal(mb_allocator_corruption_events(&slab.allocator), 0);
    assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
    assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
}

// When the range is full, the owner reuses the slots that other threads free, without another slab.
static void a_full_range_lives_of_remote_frees(void **state) {
    (void)state;
    struct mb_region_allocator region;
    assert_int_equal(mb_region_allocator_new_lazy(&region, 1 << 20), MB_OK);
    struct mb_remote_slab slab = made(MB_POLICY_COUNT, &region.allocator);
    mb_remote_slab_handle(&slab, &handle);
    size_t count = 0;
    while ((slots[count] = mb_remote_slab_take(&slab)) != NULL) count++;
    assert_int_equal(slab.error, MB_FULL);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(mb_remote_handle_give(&handle, slots[i]), MB_OK);
        assert_ptr_equal(mb_remote_slab_take(&slab), slots[i]);
        assert_null(mb_remote_slab_take(&slab));
    }
    for (size_t i = 0; i < count; i++) assert_int_equal(mb_remote_handle_give(&handle, slots[i]), MB_OK);
    for (size_t i = 0; i < count; i++) assert_non_null(mb_remote_slab_take(&slab));
    assert_null(mb_remote_slab_take(&slab));
    assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
    assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

// --- misuse ----------------------------------------------------------------------------------------------------------

static void misuse_by_remotes_is_detected(void **state) {
    (void)state;
    struct mb_remote_slab slab = made(MB_POLICY_COUNT, NULL);
    mb_remote_slab_handle(&slab, &handle);
    struct mb_allocator *remote = &handle.allocator, *owner = &slab.allocator;
    char *p = mb_allocator_allocate(owner, SLOT, 16), *q = mb_allocator_allocate(owner, SLOT, 16), elsewhere[64];
    assert_null(mb_allocator_allocate(remote, SLOT, 16));
    assert_int_equal(mb_allocator_last_error(remote), MB_UNSUPPORTED);
    assert_int_equal(mb_allocator_reset(remote), MB_UNSUPPORTED);
    assert_int_equal(mb_allocator_usable_size(remote, p), SLOT);
    assert_int_equal(mb_allocator_deallocate(remote, elsewhere, SLOT), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(remote, p + 16, SLOT), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(remote, p + 65536, SLOT), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(remote, p, SLOT), MB_OK);
    assert_int_equal(mb_allocator_deallocate(remote, p, SLOT), MB_DOUBLE_FREE);
    assert_int_equal(mb_allocator_deallocate(owner, p, SLOT), MB_DOUBLE_FREE);
    assert_int_equal(mb_allocator_deallocate(owner, q, SLOT), MB_OK);
    assert_int_equal(mb_allocator_deallocate(remote, q, SLOT), MB_DOUBLE_FREE);
    assert_int_equal(mb_allocator_corruption_events(owner), 6);
    assert_int_equal(mb_remote_slab_live(&slab), 0);
    assert_int_equal(mb_allocator_drop(owner), MB_OK);
    assert_int_equal(mb_allocator_drop(remote), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owners_spare_slot),
        cmocka_unit_test(the_owner_waits_in_join),            cmocka_unit_test(the_owner_dies_first),
        cmocka_unit_test(everything_is_returned_in_the_end),  cmocka_unit_test(slots_go_round),
        cmocka_unit_test(a_full_range_lives_of_remote_frees), cmocka_unit_test(misuse_by_remotes_is_detected),
    };
    slots = malloc(MILLION * sizeof *slots);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(slots);
    return failed;
}
