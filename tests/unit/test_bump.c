// The bump arenas: arithmetic at the limits, marks, resizing in place; eight threads race on the shared one over memory
// that is committed on demand, so that a block handed out too early causes a fault.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bump.h"
#include "core/base/bump_shared.h"
#include "core/region/lazy.h"
#include "platform/os.h"
#include "tests/unit/memory.h"

static _Alignas(4096) char memory[16384];

// --- one thread -----------------------------------------------------------------------------------------------------

static void blocks_follow_each_other(void **state) {
    (void)state;
    struct mb_bump bump;
    mb_bump_init(&bump, memory, 4096);
    assert_ptr_equal(mb_bump_alloc(&bump, 1, 1), memory);
    assert_ptr_equal(mb_bump_alloc(&bump, 3, 1), memory + 1);
    assert_ptr_equal(mb_bump_alloc(&bump, 8, 8), memory + 8);
    assert_ptr_equal(mb_bump_alloc(&bump, 1, 1024), memory + 1024);
    assert_int_equal(mb_bump_used(&bump), 1025);
    assert_int_equal(mb_bump_left(&bump), 4096 - 1025);
    assert_int_equal(mb_bump_capacity(&bump), 4096);
    assert_ptr_equal(mb_bump_alloc(&bump, 4096 - 1025, 1), memory + 1025); // to the last byte
    assert_null(mb_bump_alloc(&bump, 1, 1));
    assert_int_equal(mb_bump_left(&bump), 0);
    mb_bump_reset(&bump);
    assert_ptr_equal(mb_bump_alloc(&bump, 4096, 4096), memory);
}

static void alignment_is_of_the_address(void **state) {
    (void)state;
    struct mb_bump bump;
    mb_bump_init(&bump, memory + 24, 4000); // an arena that is not aligned itself
    for (size_t align = 1; align <= 1024; align *= 2) {
        void *p = mb_bump_alloc(&bump, 1, align);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
    }
}

static void impossible_requests_change_nothing(void **state) {
    (void)state;
    struct mb_bump bump;
    mb_bump_init(&bump, memory, 4096);
    assert_non_null(mb_bump_alloc(&bump, 100, 4));
    const struct { size_t bytes, align; } cases[] = {
        {0, 1},       {1, 0},         {1, 3},         {16, 48},           {3997, 1},     {3969, 64}, {1, 8192 * 2},
        {SIZE_MAX, 1}, {SIZE_MAX - 99, 1}, {PTRDIFF_MAX, 16}, {1, (size_t)1 << 63}, {SIZE_MAX, (size_t)1 << 63},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool fits_by_address = cases[i].align == 8192 * 2 && (uintptr_t)memory % (8192 * 2) == 0;
        if (!fits_by_address) assert_null(mb_bump_alloc(&bump, cases[i].bytes, cases[i].align));
        assert_int_equal(mb_bump_used(&bump), 100);
    }
}

static void arithmetic_holds_at_the_top_of_the_address_space(void **state) {
    (void)state;
    struct mb_bump bump;
    mb_bump_init(&bump, (void *)(UINTPTR_MAX - 4095), 4095);
    uintptr_t start;
    assert_true(mb_bump_fit(&bump, 4095, 1, &start));
    assert_false(mb_bump_fit(&bump, 4096, 1, &start));
    mb_bump_take(&bump, UINTPTR_MAX - 4095, 10);
    assert_false(mb_bump_fit(&bump, 1, 4096, &start)); // rounding up would wrap to 0
    assert_false(mb_bump_fit(&bump, SIZE_MAX, 1, &start));
    assert_true(mb_bump_check(&bump));
}

static void last_block_changes_its_size(void **state) {
    (void)state;
    struct mb_bump bump;
    mb_bump_init(&bump, memory, 4096);
    char *a = mb_bump_alloc(&bump, 100, 1), *b = mb_bump_alloc(&bump, 100, 1);
    assert_false(mb_bump_resize_last(&bump, a, 100, 50)); // not the last
    assert_false(mb_bump_resize_last(&bump, b, 99, 50));  // not its size
    assert_false(mb_bump_resize_last(&bump, b + 100, 0, 50));
    assert_false(mb_bump_resize_last(&bump, memory + 8000, 100, 50)); // foreign
    assert_false(mb_bump_resize_last(&bump, b, 100, 0));
    assert_false(mb_bump_resize_last(&bump, b, 100, 4096 - 100 + 1));
    assert_false(mb_bump_resize_last(&bump, b, 100, SIZE_MAX));
    assert_int_equal(mb_bump_used(&bump), 200);
    assert_true(mb_bump_resize_last(&bump, b, 100, 4096 - 100));
    assert_int_equal(mb_bump_left(&bump), 0);
    assert_true(mb_bump_resize_last(&bump, b, 4096 - 100, 1));
    assert_int_equal(mb_bump_used(&bump), 101);
}

static void marks_nest(void **state) {
    (void)state;
    struct mb_bump bump;
    mb_bump_init(&bump, memory + 64, 4096);
    size_t empty = mb_bump_mark(&bump);
    mb_bump_alloc(&bump, 10, 1);
    size_t outer = mb_bump_mark(&bump);
    mb_bump_alloc(&bump, 20, 1);
    size_t inner = mb_bump_mark(&bump);
    mb_bump_alloc(&bump, 30, 1);
    assert_true(mb_bump_rewind(&bump, inner));
    assert_int_equal(mb_bump_used(&bump), 30);
    assert_true(mb_bump_rewind(&bump, outer));
    assert_false(mb_bump_rewind(&bump, inner)); // gone with the outer one
    assert_int_equal(mb_bump_used(&bump), 10);
    assert_true(mb_bump_rewind(&bump, empty));
    assert_int_equal(mb_bump_used(&bump), 0);
    assert_true(mb_bump_contains(&bump, memory + 64));
    assert_true(mb_bump_contains(&bump, memory + 64 + 4095));
    assert_false(mb_bump_contains(&bump, memory + 64 + 4096));
    assert_false(mb_bump_contains(&bump, memory + 63));
}

// --- many threads ---------------------------------------------------------------------------------------------------

enum { THREADS = 8, BLOCKS = 20000 };

struct block {
    unsigned char *p;
    size_t bytes;
};

struct racer {
    struct mb_bump_shared *bump;
    unsigned id, seed;
    size_t count;
    struct block *blocks;
};

static void *carve_until_full(void *argument) {
    struct racer *racer = argument;
    while (racer->count < BLOCKS) {
        size_t bytes = 1 + (size_t)rand_r(&racer->seed) % 300, align = (size_t)1 << rand_r(&racer->seed) % 7;
        unsigned char *p = mb_bump_shared_alloc(racer->bump, bytes, align);
        if (p == NULL) break;
        if ((uintptr_t)p % align != 0) abort();
        memset(p, (int)racer->id, bytes);
        racer->blocks[racer->count++] = (struct block){p, bytes};
    }
    return NULL;
}

static int by_address(const void *a, const void *b) {
    const struct block *x = a, *y = b;
    return x->p < y->p ? -1 : x->p > y->p;
}

static void assert_intact(const struct racer *racer) {
    for (size_t i = 0; i < racer->count; i++)
        for (size_t k = 0; k < racer->blocks[i].bytes; k++) assert_int_equal(racer->blocks[i].p[k], racer->id);
}

// No two blocks overlap, and between neighbours lies less than the largest alignment.
static void assert_dense(struct block *blocks, size_t count, const struct mb_bump_shared *bump) {
    uintptr_t next = bump->base;
    qsort(blocks, count, sizeof *blocks, by_address);
    for (size_t i = 0; i < count; i++) {
        assert_true((uintptr_t)blocks[i].p >= next && (uintptr_t)blocks[i].p - next < 64);
        next = (uintptr_t)blocks[i].p + blocks[i].bytes;
    }
    assert_int_equal(next - bump->base, mb_bump_shared_used(bump));
}

static size_t race(struct mb_bump_shared *bump, struct block *all) {
    pthread_t threads[THREADS];
    struct racer racers[THREADS];
    size_t count = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){bump, i + 1, 4711 * i, 0, malloc(BLOCKS * sizeof(struct block))};
        assert_non_null(racers[i].blocks);
        assert_int_equal(pthread_create(&threads[i], NULL, carve_until_full, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_intact(&racers[i]);
        memcpy(all + count, racers[i].blocks, racers[i].count * sizeof *all);
        count += racers[i].count;
        free(racers[i].blocks);
    }
    return count;
}

static bool commit_lazily(void *context, size_t upto) { return mb_lazy_commit(context, upto) == 0; }

static void eight_threads_share_lazy_memory(void **state) {
    (void)state;
    const size_t bytes = (size_t)8 << 20;
    char *base = reserved_memory(bytes);
    struct block *all = malloc(THREADS * BLOCKS * sizeof *all);
    assert_non_null(all);
    struct mb_lazy_shared lazy = {0};
    struct mb_bump_shared bump;
    mb_lazy_init(&lazy, (uintptr_t)base, bytes, bytes);
    mb_bump_shared_init(&bump, base, bytes, commit_lazily, &lazy);
    for (int round = 0; round < 3; round++) { // the second finds everything committed
        size_t count = race(&bump, all);
        assert_true(count > bytes / 400); // full: not one thread gave up early
        assert_true(bytes - mb_bump_shared_used(&bump) < 400);
        assert_dense(all, count, &bump);
        mb_bump_shared_reset(&bump);
        assert_int_equal(mb_bump_shared_used(&bump), 0);
    }
    free(all);
    mb_os_unmap(base, bytes);
}

// --- refused commits ------------------------------------------------------------------------------------------------

struct meter {
    _Atomic size_t limit;
};

static bool commit_up_to_a_limit(void *context, size_t upto) {
    return upto <= atomic_load(&((struct meter *)context)->limit);
}

static void refused_commit_changes_nothing(void **state) {
    (void)state;
    struct meter meter = {100};
    struct mb_bump_shared bump;
    mb_bump_shared_init(&bump, memory, sizeof memory, commit_up_to_a_limit, &meter);
    assert_ptr_equal(mb_bump_shared_alloc(&bump, 60, 1), memory);
    assert_null(mb_bump_shared_alloc(&bump, 41, 1));
    assert_int_equal(mb_bump_shared_used(&bump), 60);
    assert_ptr_equal(mb_bump_shared_alloc(&bump, 40, 1), memory + 60);
    assert_null(mb_bump_shared_alloc(&bump, 1, 1));
    atomic_store(&meter.limit, 4000);
    assert_ptr_equal(mb_bump_shared_alloc(&bump, 1, 256), memory + 256);
    assert_null(mb_bump_shared_alloc(&bump, 0, 1));
    assert_null(mb_bump_shared_alloc(&bump, 1, 3));
    assert_null(mb_bump_shared_alloc(&bump, SIZE_MAX, 1));
    assert_int_equal(mb_bump_shared_used(&bump), 257);
}

static void cursor_has_its_own_cache_line(void **state) {
    (void)state;
    assert_int_equal(offsetof(struct mb_bump_shared, next) % 64, 0);
    assert_true(offsetof(struct mb_bump_shared, context) < offsetof(struct mb_bump_shared, next));
    assert_int_equal(sizeof(struct mb_bump_shared) % 64, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_follow_each_other),
        cmocka_unit_test(alignment_is_of_the_address),
        cmocka_unit_test(impossible_requests_change_nothing),
        cmocka_unit_test(arithmetic_holds_at_the_top_of_the_address_space),
        cmocka_unit_test(last_block_changes_its_size),
        cmocka_unit_test(marks_nest),
        cmocka_unit_test(eight_threads_share_lazy_memory),
        cmocka_unit_test(refused_commit_changes_nothing),
        cmocka_unit_test(cursor_has_its_own_cache_line),
    };
    return cmocka_run_group_tests_name("bump arenas", tests, NULL, NULL);
}
