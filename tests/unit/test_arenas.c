// The bump, shared bump and stack arenas, beyond what is common to all members of the family: lazy commit, scopes,
// strings, memory known to be zero, pages given back, the order of a stack; eight threads race on the shared one over a
// lazy region.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/layout/bump_arena.h"
#include "core/layout/bump_arena_shared.h"
#include "core/layout/stack_arena.h"
#include "core/region/region_allocator.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"
#include "tests/unit/refusing_os.h"

static struct mb_region_allocator lazy_region(size_t bytes) {
    struct mb_region_allocator region;
    struct mb_region_config config = MB_REGION_CONFIG(bytes);
    config.require = MB_REGION_LAZY;
    assert_int_equal(mb_region_allocator_new_with(&region, &config, MB_POLICY_COUNT), MB_OK);
    return region;
}

static size_t resident(const void *p, size_t bytes) {
    long pages = mb_os_resident_pages(p, bytes);
    assert_true(pages >= 0);
    return (size_t)pages * mb_os_page_size();
}

// --- the region's adaptor --------------------------------------------------------------------------------------------

static void a_range_is_taken_over_once(void **state) {
    (void)state;
    struct mb_region_allocator region = lazy_region(1 << 20);
    struct mb_bump_arena arena, other;
    struct mb_allocator *a = &region.allocator;
    assert_non_null(mb_allocator_allocate(a, 100, 1));
    assert_int_equal(mb_bump_arena_over(&arena, a, MB_POLICY_COUNT), MB_BAD_CONFIG); // it has a block
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    assert_int_equal(mb_bump_arena_over(&arena, a, MB_POLICY_COUNT), MB_OK);
    assert_int_equal(mb_bump_arena_over(&other, a, MB_POLICY_COUNT), MB_BAD_CONFIG);
    assert_int_equal(mb_bump_arena_over(&other, &arena.allocator, MB_POLICY_COUNT), MB_BAD_CONFIG);
    assert_null(mb_allocator_allocate(a, 1, 1)); // its range is carved by the arena
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    assert_int_equal(mb_allocator_reset(a), MB_FULL);
    assert_int_equal(mb_allocator_drop(a), MB_BAD_CONFIG);
    assert_int_equal(mb_bump_arena_drop(&arena), MB_OK);
    assert_non_null(mb_allocator_allocate(a, 1, 1));
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void a_range_acts_through_the_interface(void **state) {
    (void)state;
    struct mb_region_allocator region = lazy_region(1 << 20);
    struct mb_allocator *a = &region.allocator;
    assert_true(mb_allocator_can(a, MB_TRAIT_RANGE));
    char *base = mb_allocator_base(a);
    size_t page = mb_os_page_size();
    assert_int_equal(mb_allocator_range_bytes(a), 1 << 20);
    assert_int_equal(mb_allocator_commit(a, 0, 3 * page), MB_OK);
    memset(base, 1, 3 * page);
    assert_int_equal(mb_allocator_release_pages(a, base, page), MB_OK);
    assert_int_equal(base[0], 0);
    assert_int_equal(base[page], 1);
    assert_int_equal(mb_allocator_release_pages(a, base + 1, page), MB_BAD_RANGE);
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_RANGE);
    assert_int_equal(mb_allocator_commit(a, 0, (1 << 20) + 1), MB_BAD_RANGE);
    assert_int_equal(mb_allocator_protect(a, base, page, MB_OS_READ), MB_OK);
    assert_int_equal(child_outcome(child_writes, base), SIGSEGV);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

// --- the bump arena --------------------------------------------------------------------------------------------------

static void commits_follow_the_cursor(void **state) {
    (void)state;
    struct mb_region_allocator region = lazy_region(MORE_THAN_MEMORY);
    struct mb_bump_arena arena;
    assert_int_equal(mb_bump_arena_over(&arena, &region.allocator, MB_POLICY_COUNT), MB_OK);
    assert_int_equal(mb_region_committed(&region.region), 0);
    os_allow_all();
    for (size_t done = 0; done < (size_t)64 << 20; done += 4096) {
        char *p = mb_bump_arena_allocate(&arena, 4096, 16);
        assert_non_null(p);
        p[0] = p[4095] = 1;
        assert_true(mb_region_committed(&region.region) <= done + done / 4 + (128 << 10));
        assert_true(mb_bump_arena_check(&arena));
    }
    assert_true(os.made[OS_COMMIT] < 120);
    assert_int_equal(mb_bump_arena_drop(&arena), MB_OK);
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

static void known_zeros_are_not_cleared(void **state) {
    (void)state;
    struct mb_region_allocator region = lazy_region(64 << 20);
    struct mb_bump_arena arena;
    const size_t bytes = 16 << 20;
    for (int round = 0; round < 2; round++) {
        assert_int_equal(mb_bump_arena_over(&arena, &region.allocator, MB_POLICY_COUNT), MB_OK);
        char *p = mb_bump_arena_allocate_zeroed(&arena, bytes, 4096);
        if (round == 0) assert_int_equal(resident(p, bytes), 0); // untouched
        else for (size_t i = 0; i < bytes; i += 512) assert_int_equal(p[i], 0); // what the first arena left is cleared
        memset(p, 0xff, bytes);
        mb_bump_arena_reset(&arena);
        p = mb_bump_arena_allocate_zeroed(&arena, bytes, 4096);
        for (size_t i = 0; i < bytes; i += 512) assert_int_equal(p[i], 0);
        memset(p, 0xff, bytes);
        assert_int_equal(mb_bump_arena_drop(&arena), MB_OK);
    }
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

static void the_last_block_changes_in_place(void **state) {
    (void)state;
    struct mb_region_allocator region = lazy_region(1 << 20);
    struct mb_bump_arena arena;
    assert_int_equal(mb_bump_arena_over(&arena, &region.allocator, MB_POLICY_COUNT), MB_OK);
    struct mb_allocator *a = &arena.allocator;
    char *p = mb_allocator_allocate(a, 100, 16);
    memset(p, 0xff, 100);
    assert_ptr_equal(mb_allocator_grow(a, p, 100, 300000, 16), p);
    memset(p, 0xff, 300000);
    assert_ptr_equal(mb_allocator_shrink(a, p, 300000, 10, 16), p);
    assert_int_equal(mb_bump_arena_used(&arena), 10);
    char *q = mb_allocator_allocate_zeroed(a, 100, 1); // where the shrunk block has been
    assert_ptr_equal(q, p + 10);
    assert_all_bytes(q, 100, 0);
    char *moved = mb_allocator_grow(a, p, 10, 20, 16);
    assert_ptr_not_equal(moved, p);
    assert_all_bytes(moved, 10, (char)0xff);
    assert_null(mb_allocator_grow(a, moved, 20, 1 << 20, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    assert_int_equal(mb_bump_arena_drop(&arena), MB_OK);
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

static void scopes_nest(void **state) {
    (void)state;
    static char memory[4096];
    struct mb_bump_arena arena;
    mb_bump_arena_init(&arena, memory, sizeof memory, MB_POLICY_COUNT);
    struct mb_scope outer, inner;
    mb_bump_arena_allocate(&arena, 10, 1);
    mb_scope_begin(&outer, &arena);
    mb_bump_arena_allocate(&arena, 20, 1);
    mb_scope_begin(&inner, &arena);
    mb_bump_arena_allocate(&arena, 30, 1);
    assert_int_equal(mb_scope_end(&outer), MB_BAD_ORDER);
    assert_int_equal(mb_bump_arena_used(&arena), 60);
    assert_int_equal(mb_scope_end(&inner), MB_OK);
    assert_int_equal(mb_bump_arena_used(&arena), 30);
    assert_int_equal(mb_scope_end(&inner), MB_BAD_ORDER); // twice
    assert_int_equal(mb_scope_end(&outer), MB_OK);
    assert_int_equal(mb_bump_arena_used(&arena), 10);
    mb_scope_begin(&outer, &arena);
    mb_bump_arena_reset(&arena);
    assert_int_equal(mb_scope_end(&outer), MB_BAD_ORDER); // the reset ended it
    assert_int_equal(mb_allocator_corruption_events(&arena.allocator), 3);
    size_t mark = mb_bump_arena_mark(&arena);
    mb_bump_arena_allocate(&arena, 10, 1);
    size_t later = mb_bump_arena_mark(&arena);
    assert_int_equal(mb_bump_arena_rewind(&arena, mark), MB_OK);
    assert_int_equal(mb_bump_arena_rewind(&arena, later), MB_BAD_RANGE);
}

struct point {
    double x, y;
};

static void typed_blocks(void **state) {
    (void)state;
    static char memory[4096];
    struct mb_bump_arena arena;
    mb_bump_arena_init(&arena, memory + 1, sizeof memory - 1, MB_POLICY_COUNT);
    assert_string_equal(mb_bump_arena_strdup(&arena, "region"), "region");
    assert_string_equal(mb_bump_arena_strdup(&arena, ""), "");
    assert_string_equal(mb_bump_arena_strndup(&arena, "region", 3), "reg");
    assert_string_equal(mb_bump_arena_strndup(&arena, "region", 30), "region");
    struct point *point = MB_BUMP_ARENA_NEW(&arena, struct point);
    assert_int_equal((uintptr_t)point % _Alignof(struct point), 0);
    struct point *points = MB_BUMP_ARENA_ARRAY(&arena, struct point, 10);
    assert_int_equal((uintptr_t)points % _Alignof(struct point), 0);
    const int numbers[] = {1, 2, 3};
    int *copy = mb_bump_arena_array_copy(&arena, numbers, 3, sizeof *numbers, _Alignof(int));
    assert_memory_equal(copy, numbers, sizeof numbers);
    memset(memory + mb_bump_arena_used(&arena) + 1, 0xff, 100);
    int *zero = mb_bump_arena_array_zeroed(&arena, 5, sizeof *zero, _Alignof(int));
    for (int i = 0; i < 5; i++) assert_int_equal(zero[i], 0);
    size_t used = mb_bump_arena_used(&arena);
    assert_null(mb_bump_arena_array(&arena, SIZE_MAX / 2, 3, 1));
    assert_int_equal(mb_allocator_last_error(&arena.allocator), MB_BAD_SIZE);
    assert_null(mb_bump_arena_array(&arena, 0, 8, 8));
    assert_null(mb_bump_arena_array_copy(&arena, numbers, 4000, 4, 4));
    char text[5000];
    memset(text, 'a', sizeof text);
    assert_null(mb_bump_arena_strndup(&arena, text, sizeof text));
    assert_int_equal(mb_bump_arena_used(&arena), used);
    assert_int_equal(mb_bump_arena_release(&arena), MB_UNSUPPORTED); // plain memory
}

static void pages_go_back(void **state) {
    (void)state;
    struct mb_region_allocator region = lazy_region(64 << 20);
    struct mb_bump_arena arena;
    assert_int_equal(mb_bump_arena_over(&arena, &region.allocator, MB_POLICY_COUNT), MB_OK);
    const size_t bytes = 32 << 20;
    char *p = mb_bump_arena_allocate(&arena, bytes, 4096);
    memset(p, 1, bytes);
    mb_bump_arena_reset(&arena);
    assert_non_null(mb_bump_arena_allocate(&arena, 5000, 1));
    assert_int_equal(mb_bump_arena_release(&arena), MB_OK);
    assert_int_equal(resident(p, bytes), mb_align_up(5000, mb_os_page_size()));
    assert_int_equal(p[4999], 1);
    char *q = mb_bump_arena_allocate_zeroed(&arena, bytes - 8192, 4096);
    assert_true(resident(p, bytes) <= 3 * mb_os_page_size()); // zero again without being touched
    assert_int_equal(q[0], 0);
    assert_int_equal(mb_bump_arena_drop(&arena), MB_OK);
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

// --- the stack arena -------------------------------------------------------------------------------------------------

static void a_stack_keeps_its_order(void **state) {
    (void)state;
    static _Alignas(64) char memory[8192];
    struct mb_stack_arena stack;
    mb_stack_arena_init(&stack, memory, sizeof memory, MB_POLICY_COUNT);
    char *blocks[20];
    size_t used[20];
    for (size_t i = 0; i < 20; i++) {
        used[i] = mb_bump_arena_used(&stack.arena);
        blocks[i] = mb_stack_arena_allocate(&stack, 1 + i, (size_t)1 << i % 8);
        assert_int_equal((uintptr_t)blocks[i] % ((size_t)1 << i % 8), 0);
        memset(blocks[i], (int)i, 1 + i);
    }
    for (size_t i = 20; i > 0; i--) {
        for (size_t k = 0; k + 1 < i; k++) assert_int_equal(mb_stack_arena_deallocate(&stack, blocks[k]), MB_BAD_ORDER);
        assert_int_equal(mb_stack_arena_usable_size(&stack, blocks[i - 1]), i);
        assert_all_bytes(blocks[i - 1], i, (char)(i - 1));
        assert_int_equal(mb_stack_arena_deallocate(&stack, blocks[i - 1]), MB_OK);
        assert_int_equal(mb_bump_arena_used(&stack.arena), used[i - 1]); // exactly as before it was made
        for (size_t k = i; k < 21; k++) assert_int_equal(mb_stack_arena_deallocate(&stack, blocks[k - 1]), MB_DOUBLE_FREE);
    }
    assert_int_equal(mb_allocator_corruption_events(&stack.allocator), 19 * 20 / 2 + 20 * 21 / 2);
    assert_int_equal(mb_stack_arena_deallocate(&stack, memory + 8000), MB_DOUBLE_FREE);
    assert_int_equal(mb_stack_arena_deallocate(&stack, NULL), MB_BAD_POINTER);
}

static void only_the_newest_grows(void **state) {
    (void)state;
    static _Alignas(64) char memory[4096];
    struct mb_stack_arena stack;
    mb_stack_arena_init(&stack, memory, sizeof memory, MB_POLICY_COUNT);
    struct mb_allocator *a = &stack.allocator;
    char *first = mb_allocator_allocate(a, 10, 1), *p = mb_allocator_allocate(a, 10, 1);
    assert_null(mb_allocator_grow(a, first, 10, 20, 1));
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_ORDER);
    assert_ptr_equal(mb_allocator_grow(a, p, 10, 1000, 1), p);
    assert_int_equal(mb_allocator_usable_size(a, p), 1000);
    assert_ptr_equal(mb_allocator_shrink(a, p, 1000, 5, 1), p);
    assert_int_equal(mb_allocator_usable_size(a, p), 5);
    assert_ptr_equal(mb_allocator_shrink(a, first, 10, 1, 1), first);
    assert_null(mb_allocator_grow(a, p, 5, 5000, 1));
    assert_int_equal(mb_allocator_deallocate(a, p, 6), MB_BAD_SIZE);
    assert_int_equal(mb_allocator_deallocate(a, p, 5), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, first, 1), MB_OK);
    assert_int_equal(mb_bump_arena_used(&stack.arena), 0);
}

// --- the shared arena: eight threads ---------------------------------------------------------------------------------

enum { THREADS = 8, BLOCKS = 20000 };

static struct mb_bump_arena_shared shared;
static unsigned char *taken[THREADS][BLOCKS];

static size_t bytes_of(size_t thread, size_t i) { return 1 + (thread * 31 + i * 7) % 200; }

static void *carve(void *argument) {
    size_t thread = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char *p;
        while ((p = mb_bump_arena_shared_allocate_zeroed(&shared, bytes_of(thread, i), (size_t)1 << i % 7)) == NULL) {
            assert_int_equal(mb_allocator_last_error(&shared.allocator), MB_REFUSED);
        }
        for (size_t k = 0; k < bytes_of(thread, i); k++) assert_int_equal(p[k], 0);
        memset(p, (int)thread + 1, bytes_of(thread, i));
        taken[thread][i] = p;
    }
    return NULL;
}

// Every third commit is refused: no block is lost by that, and no block is handed out before its memory is committed.
static void eight_threads_carve_a_lazy_region(void **state) {
    (void)state;
    struct mb_region_allocator region = lazy_region(MORE_THAN_MEMORY);
    assert_int_equal(mb_bump_arena_shared_over(&shared, &region.allocator, MB_POLICY_COUNT), MB_OK);
    for (int round = 0; round < 2; round++) { // the second over memory that is dirty
        os_refuse(1u << OS_COMMIT, 2, 60);
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, carve, (void *)i), 0);
        for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (round == 0) assert_int_equal(os.refused, 60);
        for (size_t t = 0; t < THREADS; t++) {
            for (size_t i = 0; i < BLOCKS; i++) {
                assert_int_equal(taken[t][i][0], t + 1);
                assert_int_equal(taken[t][i][bytes_of(t, i) - 1], t + 1);
            }
        }
        mb_bump_arena_shared_reset(&shared);
    }
    os_allow_all();
    assert_true(mb_region_committed(&region.region) < (size_t)64 << 20);
    assert_int_equal(mb_bump_arena_shared_drop(&shared), MB_OK);
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_taken_over_once),    cmocka_unit_test(a_range_acts_through_the_interface),
        cmocka_unit_test(commits_follow_the_cursor),     cmocka_unit_test(known_zeros_are_not_cleared),
        cmocka_unit_test(the_last_block_changes_in_place), cmocka_unit_test(scopes_nest),
        cmocka_unit_test(typed_blocks),                  cmocka_unit_test(pages_go_back),
        cmocka_unit_test(a_stack_keeps_its_order),       cmocka_unit_test(only_the_newest_grows),
        cmocka_unit_test(eight_threads_carve_a_lazy_region),
    };
    kernel_small_pages(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
