// Members with one owner may be handed over but not shared: in check builds, a second thread that uses one without a
// hand-over ends the process; after a hand-over that thread is the owner, and the first one no longer is. Shared
// members accept any thread.
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/base/config.h"
#include "core/layout/bump_arena.h"
#include "core/layout/remote_slab.h"
#include "core/layout/size_classed.h"
#include "core/layout/slab_pool.h"
#include "core/layout/stack_arena.h"
#include "core/region/region_allocator.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"
#include "tests/unit/members.h"

static void *use(void *a) { return mb_allocator_allocate(a, 48, 16); }

static void *use_from_another_thread(struct mb_allocator *a) {
    pthread_t thread;
    void *p = NULL;
    assert_int_equal(pthread_create(&thread, NULL, use, a), 0);
    assert_int_equal(pthread_join(thread, &p), 0);
    return p;
}

static bool share(void *argument) {
    struct mb_allocator *a = argument;
    return use(a) != NULL && use_from_another_thread(a) != NULL;
}

static void sharing_is_found(void **state) {
    (void)state;
    for (size_t i = 0; i < member_count; i++) {
        assert_int_equal(members[i].make(MB_POLICY_COUNT), MB_OK);
        struct mb_allocator *a = members[i].allocator();
        bool allowed = !MB_CHECKS || mb_allocator_can(a, MB_TRAIT_SHARED);
        assert_int_equal(child_outcome(share, a), allowed ? 0 : SIGABRT);
        members[i].unmake();
    }
}

static void hand_over(struct mb_allocator *a, const char *name) {
    if (strcmp(name, "region") == 0) mb_region_allocator_hand_over((struct mb_region_allocator *)a);
    if (strcmp(name, "bump arena") == 0) mb_bump_arena_hand_over((struct mb_bump_arena *)a);
    if (strcmp(name, "stack arena") == 0) mb_stack_arena_hand_over((struct mb_stack_arena *)a);
    if (strcmp(name, "pool") == 0) mb_slab_pool_hand_over((struct mb_slab_pool *)a);
    if (strcmp(name, "size classed") == 0) mb_size_classed_hand_over((struct mb_size_classed *)a);
    if (strcmp(name, "remote slab") == 0) mb_remote_slab_hand_over((struct mb_remote_slab *)a);
}

static void handing_over_is_fine(void **state) {
    (void)state;
    for (size_t i = 0; i < member_count; i++) {
        assert_int_equal(members[i].make(MB_POLICY_COUNT), MB_OK);
        struct mb_allocator *a = members[i].allocator();
        for (int round = 0; round < 3; round++) {
            assert_non_null(use(a));
            hand_over(a, members[i].name);
            assert_non_null(use_from_another_thread(a));
            hand_over(a, members[i].name);
        }
        members[i].unmake();
    }
}

static void *drop(void *a) { return mb_allocator_drop(a) == MB_OK ? a : NULL; }

// The thread that drops the upper member becomes the owner of the lower one.
static void a_range_comes_back_to_who_drops(void **state) {
    (void)state;
    struct mb_region_allocator region;
    struct mb_bump_arena arena;
    pthread_t thread;
    void *dropped = NULL;
    assert_int_equal(mb_region_allocator_new_lazy(&region, 1 << 20), MB_OK);
    assert_int_equal(mb_bump_arena_over(&arena, &region.allocator, MB_POLICY_COUNT), MB_OK);
    assert_non_null(use(&arena.allocator));
    mb_bump_arena_hand_over(&arena);
    assert_int_equal(pthread_create(&thread, NULL, drop, &arena.allocator), 0);
    assert_int_equal(pthread_join(thread, &dropped), 0);
    assert_ptr_equal(dropped, &arena.allocator);
    assert_non_null(use(&region.allocator));
    mb_region_allocator_hand_over(&region);
    assert_non_null(use_from_another_thread(&region.allocator));
    mb_region_allocator_hand_over(&region);
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sharing_is_found), cmocka_unit_test(handing_over_is_fine),
                                       cmocka_unit_test(a_range_comes_back_to_who_drops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
