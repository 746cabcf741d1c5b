// Fault injection: each mode is compared with the list of calls that it must make fail, by thread, and for system
// calls.
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "core/harden/fault.h"
#include "core/harden/fault_os.h"
#include "tests/support/bases.h"
#include "tests/unit/memory.h"

static struct libc_base libc;
static struct mb_fault fault;

static struct mb_allocator *made(enum mb_fault_mode mode, uint64_t n) {
    struct mb_fault_config config = MB_FAULT_CONFIG(mode, n);
    libc_base_init(&libc, 0);
    assert_int_equal(mb_fault_init(&fault, &config, &libc.api), MB_OK);
    return &fault.layer.api;
}

// Makes 12 requests of 10, 20 ... 120 bytes; bit i of the result: request i failed. Whatever failed reached nothing
// below.
static unsigned fates(struct mb_allocator *a) {
    unsigned failed = 0;
    for (unsigned i = 0; i < 12; i++) {
        unsigned before = libc.allocations;
        void *p = i % 2 ? mb_allocator_allocate(a, 10 * i + 10, 16) : mb_allocator_allocate_zeroed(a, 10 * i + 10, 16);
        if (p == NULL) {
            assert_int_equal(mb_allocator_last_error(a), MB_INJECTED);
            assert_int_equal(libc.allocations, before);
            failed |= 1u << i;
        }
        assert_int_equal(mb_allocator_deallocate(a, p, 10 * i + 10), MB_OK);
    }
    return failed;
}

static void each_mode_strikes_its_calls(void **state) {
    (void)state;
    assert_int_equal(fates(made(MB_FAULT_NEVER, 0)), 0);
    assert_int_equal(fates(made(MB_FAULT_ALWAYS, 0)), 0xfff);
    assert_int_equal(fates(made(MB_FAULT_AFTER, 5)), 0xfe0);
    assert_int_equal(fates(made(MB_FAULT_AFTER, 0)), 0xfff);
    assert_int_equal(fates(made(MB_FAULT_EVERY, 3)), 0x924);
    assert_int_equal(fates(made(MB_FAULT_EVERY, 1)), 0xfff);
    assert_int_equal(fates(made(MB_FAULT_SIZE_FROM, 80)), 0xf80);
    assert_int_equal(fates(made(MB_FAULT_CHANCE, 0)), 0);
    assert_int_equal(fates(made(MB_FAULT_CHANCE, 1000000)), 0xfff);
    assert_int_equal(libc.live_blocks, 0);
}

static void growing_fails_and_keeps_the_block(void **state) {
    (void)state;
    struct mb_allocator *a = made(MB_FAULT_SIZE_FROM, 1000);
    char *p = mb_allocator_allocate(a, 100, 16);
    memset(p, 7, 100);
    assert_null(mb_allocator_grow(a, p, 100, 1000, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_INJECTED);
    assert_all_bytes(p, 100, 7);
    p = mb_allocator_grow(a, p, 100, 999, 16);
    p = mb_allocator_shrink(a, p, 999, 10, 16);
    assert_all_bytes(p, 10, 7);
    assert_int_equal(mb_allocator_deallocate(a, p, 10), MB_OK);
}

static void chance_is_repeatable_and_about_right(void **state) {
    (void)state;
    struct mb_fault_config config = MB_FAULT_CONFIG(MB_FAULT_CHANCE, 100000); // one in ten
    unsigned char first[10000];
    for (unsigned seed = 0; seed < 3; seed++) {
        unsigned struck = 0, same = 0;
        for (int round = 0; round < 2; round++) {
            config.seed = seed;
            assert_int_equal(mb_fault_arm(&fault.plan, &config), MB_OK);
            for (unsigned i = 0; i < sizeof first; i++) {
                bool strikes = mb_fault_strikes(&fault.plan, 1);
                if (round == 0) first[i] = strikes, struck += strikes;
                else same += first[i] == strikes;
            }
        }
        assert_int_equal(same, sizeof first);
        assert_in_range(struck, 900, 1100);
        assert_int_equal(mb_fault_struck(&fault.plan), struck);
    }
}

// --- threads ---------------------------------------------------------------------------------------------------------

static void *count_strikes(void *argument) {
    uintptr_t struck = 0;
    (void)argument;
    for (int i = 0; i < 10; i++) struck += mb_fault_strikes(&fault.plan, 1);
    return (void *)struck;
}

static uintptr_t in_a_thread(void) {
    pthread_t thread;
    void *struck;
    assert_int_equal(pthread_create(&thread, NULL, count_strikes, NULL), 0);
    pthread_join(thread, &struck);
    return (uintptr_t)struck;
}

static void scopes_choose_threads(void **state) {
    (void)state;
    struct mb_fault_config config = MB_FAULT_CONFIG(MB_FAULT_AFTER, 4);
    config.scope = MB_FAULT_EACH_THREAD;
    assert_int_equal(mb_fault_arm(&fault.plan, &config), MB_OK);
    for (int i = 0; i < MB_FAULT_THREADS - 1; i++) assert_int_equal(in_a_thread(), 6);
    assert_int_equal((uintptr_t)count_strikes(NULL), 6);
    assert_int_equal(in_a_thread(), 6); // the first one to share a count
    assert_int_equal(in_a_thread(), 10);
    config.scope = MB_FAULT_ALL_THREADS;
    assert_int_equal(mb_fault_arm(&fault.plan, &config), MB_OK);
    assert_int_equal(in_a_thread(), 6);
    assert_int_equal(in_a_thread(), 10);
    config.scope = MB_FAULT_THIS_THREAD;
    assert_int_equal(mb_fault_arm(&fault.plan, &config), MB_OK);
    assert_int_equal(in_a_thread(), 0);
    assert_int_equal((uintptr_t)count_strikes(NULL), 6);
}

static void *every_third(void *argument) {
    for (int i = 0; i < 30000; i++) mb_fault_strikes(&fault.plan, 1);
    return argument;
}

static void a_common_count_loses_no_call(void **state) {
    (void)state;
    pthread_t threads[8];
    struct mb_fault_config config = MB_FAULT_CONFIG(MB_FAULT_EVERY, 3);
    assert_int_equal(mb_fault_arm(&fault.plan, &config), MB_OK);
    for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, every_third, NULL), 0);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    assert_int_equal(mb_fault_struck(&fault.plan), 80000);
}

static void senseless_plans_are_refused(void **state) {
    (void)state;
    struct mb_fault_config good = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0), bad;
    libc_base_init(&libc, 0);
    bad = good, bad.mode = MB_FAULT_MODES;
    assert_int_equal(mb_fault_init(&fault, &bad, &libc.api), MB_BAD_CONFIG);
    bad = good, bad.scope = MB_FAULT_SCOPES;
    assert_int_equal(mb_fault_init(&fault, &bad, &libc.api), MB_BAD_CONFIG);
    bad = good, bad.mode = MB_FAULT_EVERY;
    assert_int_equal(mb_fault_init(&fault, &bad, &libc.api), MB_BAD_CONFIG);
    bad = good, bad.mode = MB_FAULT_CHANCE, bad.n = 1000001;
    assert_int_equal(mb_fault_init(&fault, &bad, &libc.api), MB_BAD_CONFIG);
    assert_int_equal(mb_fault_os_arm(&good, 0), MB_BAD_CONFIG);
    assert_int_equal(mb_fault_os_arm(&good, UINT32_C(1) << MB_OS_CALLS), MB_BAD_CONFIG);
}

// --- the system ------------------------------------------------------------------------------------------------------

static int call(enum mb_os_call kind, char *p, size_t bytes) {
    static const uint64_t node_0 = 1;
    void *out = NULL;
    switch (kind) {
    case MB_OS_CALL_RESERVE: return mb_os_reserve(NULL, bytes, &out);
    case MB_OS_CALL_RESERVE_HUGETLB: return mb_os_reserve_hugetlb(NULL, mb_os_huge_page_size(), &out);
    case MB_OS_CALL_UNMAP: return mb_os_unmap(p, bytes);
    case MB_OS_CALL_COMMIT: return mb_os_commit(p, bytes);
    case MB_OS_CALL_DECOMMIT: return mb_os_decommit(p, bytes);
    case MB_OS_CALL_RENEW: return mb_os_renew(p, bytes);
    case MB_OS_CALL_PROTECT: return mb_os_protect(p, bytes, MB_OS_NONE);
    case MB_OS_CALL_MOVE_PAGES: return mb_os_move_pages(p, p + bytes, bytes);
    case MB_OS_CALL_PURGE: return mb_os_purge(p, bytes);
    case MB_OS_CALL_POPULATE: return mb_os_populate(p, bytes);
    case MB_OS_CALL_ADVISE_HUGE: return mb_os_advise_huge(p, bytes, true);
    case MB_OS_CALL_GUARD: return mb_os_guard(p, bytes);
    case MB_OS_CALL_UNGUARD: return mb_os_unguard(p, bytes);
    case MB_OS_CALL_LOCK: return mb_os_lock(p, bytes);
    case MB_OS_CALL_UNLOCK: return mb_os_unlock(p, bytes);
    case MB_OS_CALL_NO_DUMP: return mb_os_no_dump(p, bytes);
    case MB_OS_CALL_WIPE_ON_FORK: return mb_os_wipe_on_fork(p, bytes);
    case MB_OS_CALL_BIND_NODES: return mb_os_bind_nodes(p, bytes, &node_0, 1);
    case MB_OS_CALLS: break;
    }
    return 0;
}

// A call that was made to fail has not changed the memory; other kinds of calls are not affected.
static void every_kind_of_call_can_fail(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    size_t page = mb_os_page_size();
    char *p = committed_memory(4 * page);
    memset(p, 5, 4 * page);
    for (unsigned kind = 0; kind < MB_OS_CALLS; kind++) {
        assert_int_equal(mb_fault_os_arm(&always, 1u << kind), MB_OK);
        assert_int_equal(call(kind, p, 2 * page), -ENOMEM);
        assert_int_equal(mb_fault_os_struck(), 1);
        if (kind != MB_OS_CALL_COMMIT) assert_int_equal(mb_os_commit(p, page), 0);
        assert_int_equal(mb_fault_os_struck(), 1);
        assert_all_bytes(p, 4 * page, 5);
    }
    mb_fault_os_disarm();
    assert_int_equal(mb_os_unmap(p, 4 * page), 0);
}

static void a_region_sees_a_system_that_refuses(void **state) {
    (void)state;
    struct region_base region;
    struct mb_fault_config second = MB_FAULT_CONFIG(MB_FAULT_EVERY, 2);
    assert_int_equal(region_base_init(&region, 16 << 20, MB_REGION_LAZY), MB_OK);
    assert_int_equal(mb_fault_os_arm(&second, 1u << MB_OS_CALL_COMMIT), MB_OK);
    assert_non_null(mb_allocator_allocate(&region.api, 100, 16));
    size_t allocated = mb_region_allocated(&region.region);
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    assert_int_equal(mb_fault_os_arm(&always, 1u << MB_OS_CALL_COMMIT), MB_OK);
    assert_null(mb_allocator_allocate(&region.api, 1 << 20, 16));
    assert_int_equal(mb_allocator_last_error(&region.api), MB_REFUSED);
    assert_int_equal(mb_region_allocated(&region.region), allocated);
    mb_fault_os_disarm();
    assert_non_null(mb_allocator_allocate(&region.api, 1 << 20, 16));
    assert_int_equal(mb_allocator_drop(&region.api), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_strikes_its_calls),
        cmocka_unit_test(growing_fails_and_keeps_the_block),
        cmocka_unit_test(chance_is_repeatable_and_about_right),
        cmocka_unit_test(scopes_choose_threads),
        cmocka_unit_test(a_common_count_loses_no_call),
        cmocka_unit_test(senseless_plans_are_refused),
        cmocka_unit_test(every_kind_of_call_can_fail),
        cmocka_unit_test(a_region_sees_a_system_that_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
