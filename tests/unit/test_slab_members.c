// The pool and the size-classed allocator, beyond what is common to all members: growth over huge lazy ranges, memory
// given back, large blocks, slots of any size, what is reported and how; and that an allocator that cannot be made
// keeps no memory.
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/layout/size_classed.h"
#include "core/layout/slab_pool.h"
#include "core/region/region_allocator.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"
#include "tests/unit/members.h"
#include "tests/unit/refusing_os.h"

enum { MANY = 600000 };
static void *blocks[MANY];

static uint64_t random_state = 88172645463325252u;
static uint64_t next_random(void) { // xorshift64, Marsaglia
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static size_t resident(const struct mb_span_source *source) {
    long pages = mb_os_resident_pages((void *)source->space.base, source->space.bytes);
    assert_true(pages >= 0);
    return (size_t)pages * mb_os_page_size();
}

static struct mb_source_config counting(size_t max_bytes) {
    struct mb_source_config config = MB_SOURCE_CONFIG(max_bytes);
    config.policy = MB_POLICY_COUNT;
    return config;
}

static size_t mappings(void) {
    char line[512];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps) != NULL) count++;
    fclose(maps);
    return count;
}

// --- the pool --------------------------------------------------------------------------------------------------------

static void a_pool_grows_over_a_huge_range(void **state) {
    (void)state;
    struct mb_slab_pool pool;
    struct mb_source_config config = counting(MORE_THAN_MEMORY);
    assert_int_equal(mb_slab_pool_new_with(&pool, 100, 1, &config), MB_OK);
    assert_int_equal(mb_slab_pool_slot_bytes(&pool), 112);
    assert_int_equal(mb_allocator_capacity(&pool.allocator), MORE_THAN_MEMORY);
    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = mb_slab_pool_take(&pool);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)i, 100);
    }
    assert_int_equal(mb_slab_pool_live(&pool), MANY);
    assert_true(mb_region_committed(&pool.state->source.own.region) < (size_t)80 << 20);
    for (size_t i = 0; i < MANY; i++) assert_all_bytes((char *)blocks[i] + 99, 1, (char)i);
    assert_true(resident(&pool.state->source) > (size_t)40 << 20);
    for (size_t i = MANY; i > 0; i--) { // in random order
        size_t pick = next_random() % i;
        assert_int_equal(mb_slab_pool_give(&pool, blocks[pick]), MB_OK);
        blocks[pick] = blocks[i - 1];
    }
    assert_int_equal(mb_slab_pool_live(&pool), 0);
    assert_true(resident(&pool.state->source) <= (size_t)3 << 20); // the margin, and the slab in use
    mb_slab_pool_trim(&pool);
    assert_int_equal(resident(&pool.state->source), 0);
    assert_non_null(mb_slab_pool_take(&pool));
    assert_int_equal(mb_allocator_corruption_events(&pool.allocator), 0);
    assert_int_equal(mb_slab_pool_drop(&pool), MB_OK);
}

// A slab that was full waits for some slots before it is used again, unless there is nothing else.
static void every_slot_of_a_full_pool_counts(void **state) {
    (void)state;
    struct mb_slab_pool pool;
    struct mb_source_config config = counting(1 << 20);
    assert_int_equal(mb_slab_pool_new_with(&pool, 64, 16, &config), MB_OK);
    for (int round = 0; round < 2; round++) {
        size_t count = 0;
        while ((blocks[count] = mb_slab_pool_take(&pool)) != NULL) count++;
        assert_int_equal(count, (1 << 20) / 64);
        for (size_t i = 0; i < count; i += 97) { // of every slab some
            assert_int_equal(mb_slab_pool_give(&pool, blocks[i]), MB_OK);
            assert_ptr_equal(mb_slab_pool_take(&pool), blocks[i]);
            assert_null(mb_slab_pool_take(&pool));
        }
        for (size_t i = 0; i < count; i += 97) assert_int_equal(mb_slab_pool_give(&pool, blocks[i]), MB_OK);
        for (size_t i = 0; i < count; i += 97) assert_non_null(mb_slab_pool_take(&pool));
        assert_null(mb_slab_pool_take(&pool));
        assert_int_equal(pool.state->error, MB_FULL);
        assert_int_equal(mb_allocator_reset(&pool.allocator), MB_OK);
    }
    assert_int_equal(mb_slab_pool_drop(&pool), MB_OK);
}

static void slots_of_every_size(void **state) {
    (void)state;
    const size_t sizes[] = {1, 16, 17, 48, 1000, 8192, 8193, 20000, 32768, 32769, 65536, 65537, 1 << 20, 15 << 20};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t align = 1; align <= 65536; align *= 16) {
            struct mb_slab_pool pool;
            struct mb_source_config config = counting((size_t)256 << 20);
            assert_int_equal(mb_slab_pool_new_with(&pool, sizes[s], align, &config), MB_OK);
            char *slots[12];
            for (size_t i = 0; i < 12; i++) {
                slots[i] = mb_slab_pool_take(&pool);
                assert_non_null(slots[i]);
                assert_int_equal((uintptr_t)slots[i] % align, 0);
                assert_true(mb_allocator_usable_size(&pool.allocator, slots[i]) >= sizes[s]);
                slots[i][0] = slots[i][sizes[s] - 1] = (char)i;
            }
            for (size_t i = 0; i < 12; i++) {
                assert_int_equal(slots[i][0], i);
                assert_int_equal(slots[i][sizes[s] - 1], i);
                if (sizes[s] > 1) assert_int_equal(mb_slab_pool_give(&pool, slots[i] + 1), MB_BAD_POINTER);
                assert_int_equal(mb_slab_pool_give(&pool, slots[i]), MB_OK);
                assert_int_not_equal(mb_slab_pool_give(&pool, slots[i]), MB_OK);
            }
            assert_int_equal(mb_slab_pool_live(&pool), 0);
            assert_int_equal(mb_slab_pool_drop(&pool), MB_OK);
        }
    }
}

static void what_cannot_be_made(void **state) {
    (void)state;
    struct mb_slab_pool pool;
    struct mb_size_classed classed;
    const struct { size_t slot, align, max; enum mb_error error; } cases[] = {
        {0, 16, 1 << 20, MB_BAD_SIZE},         {SIZE_MAX, 16, 1 << 20, MB_BAD_SIZE}, {16, 0, 1 << 20, MB_BAD_ALIGN},
        {16, 3, 1 << 20, MB_BAD_ALIGN},        {16, 131072, 1 << 20, MB_BAD_ALIGN},  {16 << 20, 16, 1 << 30, MB_BAD_SIZE},
        {16, 16, 0, MB_BAD_SIZE},              {16, 16, SIZE_MAX, MB_BAD_SIZE},      {16, 16, PTRDIFF_MAX, MB_BAD_SIZE},
        {16, 16, (size_t)1 << 60, MB_REFUSED}, {65537, 16, 65536, MB_BAD_SIZE},      {16 << 20, 16, 1 << 20, MB_BAD_SIZE},
    };
    size_t before = mappings();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mb_source_config config = counting(cases[i].max);
        enum mb_error error = mb_slab_pool_new_with(&pool, cases[i].slot, cases[i].align, &config);
        assert_int_equal(error, cases[i].error);
        assert_int_equal(mappings(), before);
    }
    struct mb_source_config config = counting(0);
    assert_int_equal(mb_size_classed_new_with(&classed, &config), MB_BAD_SIZE);
    for (unsigned skip = 0; skip < 12; skip++) { // refused at every step: nothing stays mapped
        for (size_t m = 0; m < member_count; m++) {
            before = mappings();
            os_refuse(1u << OS_COMMIT | 1u << OS_RESERVE, skip, UINT_MAX);
            enum mb_error error = members[m].make(MB_POLICY_COUNT);
            os_allow_all();
            if (error == MB_OK) members[m].unmake();
            else assert_int_equal(error, MB_REFUSED);
            assert_int_equal(mappings(), before);
        }
    }
}

static void a_small_range_makes_for_small_slabs(void **state) {
    (void)state;
    const struct { size_t slot, max, slots; } cases[] = {
        {65536, 65536, 1}, {40000, 65536, 1}, {20000, 131072, 6}, {200000, 262144, 1}, {(16 << 20) - 65536, 16 << 20, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mb_slab_pool pool;
        assert_int_equal(mb_slab_pool_new(&pool, cases[i].slot, 16, cases[i].max), MB_OK);
        for (size_t n = 0; n < cases[i].slots; n++) {
            blocks[n] = mb_slab_pool_take(&pool);
            assert_non_null(blocks[n]);
            memset(blocks[n], (int)n, cases[i].slot);
        }
        assert_null(mb_slab_pool_take(&pool));
        assert_int_equal(mb_allocator_last_error(&pool.allocator), MB_FULL);
        for (size_t n = 0; n < cases[i].slots; n++) assert_int_equal(mb_slab_pool_give(&pool, blocks[n]), MB_OK);
        assert_int_equal(mb_slab_pool_drop(&pool), MB_OK);
    }
}

static void a_small_range_has_to_hold_a_unit(void **state) {
    (void)state;
    struct mb_region_allocator region;
    if (mb_os_page_size() == MB_UNIT_BYTES) skip(); // a page of the system is a unit
    assert_int_equal(mb_region_allocator_new_lazy(&region, 4096), MB_OK);
    struct mb_slab_pool pool;
    struct mb_source_config config = MB_SOURCE_CONFIG(0);
    config.base = &region.allocator;
    assert_int_equal(mb_slab_pool_new_with(&pool, 16, 16, &config), MB_BAD_SIZE);
    assert_non_null(mb_allocator_allocate(&region.allocator, 1, 1)); // handed back
    assert_int_equal(mb_slab_pool_new_with(&pool, 16, 16, &config), MB_BAD_CONFIG); // has a block
    assert_int_equal(mb_allocator_drop(&region.allocator), MB_OK);
}

// --- the size-classed allocator --------------------------------------------------------------------------------------

static size_t any_size(void) {
    uint64_t r = next_random();
    unsigned shift = (unsigned)(r % 20);
    return 1 + (r >> 20) % ((size_t)1 << shift);
}

// Random allocations and frees against a shadow copy: contents stay, blocks do not overlap, sizes are known, and
// nothing is left.
static void random_traffic(void **state) {
    (void)state;
    enum { SLOTS = 2000, STEPS = 300000 };
    static struct { unsigned char *p; size_t bytes; } live[SLOTS];
    struct mb_size_classed classed;
    struct mb_source_config config = counting((size_t)1 << 30);
    assert_int_equal(mb_size_classed_new_with(&classed, &config), MB_OK);
    struct mb_allocator *a = &classed.allocator;
    for (size_t step = 0; step < STEPS; step++) {
        size_t slot = next_random() % SLOTS, bytes = any_size();
        unsigned char *p = live[slot].p, mark = (unsigned char)slot;
        if (p != NULL) {
            assert_int_equal(p[0], mark);
            assert_int_equal(p[live[slot].bytes - 1], mark);
            assert_true(mb_allocator_usable_size(a, p) >= live[slot].bytes);
        }
        if (p == NULL) {
            p = step % 2 == 0 ? mb_allocator_allocate(a, bytes, 1) : mb_allocator_allocate_zeroed(a, bytes, 1);
            if (step % 2 != 0) assert_true(p[0] == 0 && p[bytes / 2] == 0 && p[bytes - 1] == 0);
        } else if (step % 3 == 0) {
            size_t old = live[slot].bytes;
            p = bytes >= old ? mb_allocator_grow(a, p, old, bytes, 1) : mb_allocator_shrink(a, p, old, bytes, 1);
            assert_int_equal(p[0], mark);
            assert_int_equal(p[mb_min(old, bytes) - 1], bytes < old ? p[bytes - 1] : mark);
        } else {
            assert_int_equal(mb_allocator_deallocate(a, p, live[slot].bytes), MB_OK);
            p = NULL;
        }
        if (step % 20000 == 0) {
            for (size_t c = 0; c < MB_CLASSES; c++) assert_true(mb_chain_front_check(&classed.state->fronts[c]));
        }
        live[slot].p = p;
        live[slot].bytes = bytes;
        if (p != NULL) p[0] = p[bytes - 1] = mark;
    }
    size_t left = 0;
    for (size_t i = 0; i < SLOTS; i++) left += live[i].p != NULL;
    assert_int_equal(mb_size_classed_live(&classed), left);
    for (size_t i = 0; i < SLOTS; i++) assert_int_equal(mb_allocator_deallocate(a, live[i].p, live[i].bytes), MB_OK);
    assert_int_equal(mb_size_classed_live(&classed), 0);
    mb_size_classed_trim(&classed);
    assert_int_equal(resident(&classed.state->source), 0);
    assert_int_equal(mb_allocator_corruption_events(a), 0);
    assert_int_equal(mb_size_classed_drop(&classed), MB_OK);
}

static void large_blocks_are_really_freed(void **state) {
    (void)state;
    struct mb_size_classed classed;
    struct mb_source_config config = counting((size_t)1 << 30);
    assert_int_equal(mb_size_classed_new_with(&classed, &config), MB_OK);
    struct mb_allocator *a = &classed.allocator;
    const size_t bytes = (size_t)100 << 20;
    for (int i = 0; i < 50; i++) { // far more than the range holds at once
        char *p = mb_allocator_allocate(a, bytes, 4096);
        assert_non_null(p);
        memset(p, 1, bytes / 10);
        assert_true(resident(&classed.state->source) >= bytes / 10);
        assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_OK);
        assert_true(resident(&classed.state->source) <= (size_t)1 << 20);
        assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_BAD_POINTER);
    }
    char *p = mb_allocator_allocate(a, 100000, 1);
    p[99999] = 5;
    assert_ptr_equal(mb_allocator_grow(a, p, 100000, bytes, 1), p); // the units behind it are free
    assert_int_equal(mb_allocator_usable_size(a, p), mb_align_up(bytes, MB_UNIT_BYTES));
    assert_int_equal(p[99999], 5);
    char *wall = mb_allocator_allocate(a, 100000, (size_t)1 << 21);
    assert_int_equal((uintptr_t)wall % ((size_t)1 << 21), 0);
    assert_ptr_equal(mb_allocator_shrink(a, p, bytes, 70000, 1), p);
    assert_int_equal(mb_allocator_usable_size(a, p), 2 * MB_UNIT_BYTES);
    assert_int_equal(mb_allocator_deallocate(a, p + MB_UNIT_BYTES, 1), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(a, p + 16, 1), MB_BAD_POINTER);
    char *small = mb_allocator_shrink(a, p, 70000, 10, 1);
    assert_ptr_not_equal(small, p); // to a slab
    assert_int_equal(mb_allocator_deallocate(a, small, 10), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, wall, 1), MB_OK);
    assert_int_equal(mb_size_classed_trim(&classed) > 0, true);
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    p = mb_allocator_allocate(a, (size_t)600 << 20, 1); // the front ends here or before: the block grows beyond it
    assert_ptr_equal(mb_allocator_grow(a, p, (size_t)600 << 20, (size_t)1000 << 20, 1), p);
    assert_null(mb_allocator_grow(a, p, (size_t)1000 << 20, (size_t)1100 << 20, 1));
    assert_int_equal(mb_allocator_deallocate(a, p, 1), MB_OK);
    assert_int_equal(mb_size_classed_live(&classed), 0);
    assert_int_equal(mb_size_classed_drop(&classed), MB_OK);
}

// Pages whose purge the system refuses stay resident: they are counted, reused first, and not taken for zero.
static void refused_purges(void **state) {
    (void)state;
    struct mb_size_classed classed;
    struct mb_source_config config = counting((size_t)1 << 30);
    const size_t bytes = 8 << 20;
    assert_int_equal(mb_size_classed_new_with(&classed, &config), MB_OK);
    struct mb_allocator *a = &classed.allocator;
    os_refuse(1u << OS_PURGE, 0, UINT_MAX);
    for (int round = 0; round < 20; round++) {
        char *p = mb_allocator_allocate_zeroed(a, bytes, 1);
        for (size_t i = 0; i < bytes; i += 1000) assert_int_equal(p[i], 0);
        memset(p, 1, bytes);
        assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_OK);
        assert_int_equal(mb_size_classed_trim(&classed), 0);
    }
    assert_true(os.refused >= 20);
    assert_true(resident(&classed.state->source) <= bytes);
    os_allow_all();
    assert_int_equal(mb_size_classed_trim(&classed), bytes);
    assert_int_equal(resident(&classed.state->source), 0);
    os_refuse(1u << OS_UNMAP, 0, 1);
    assert_int_equal(mb_size_classed_drop(&classed), MB_REFUSED); // told, not swallowed
    os_allow_all();
}

static void one_class_lives_of_what_another_gave_back(void **state) {
    (void)state;
    struct mb_size_classed classed;
    struct mb_source_config config = counting(8 << 20);
    assert_int_equal(mb_size_classed_new_with(&classed, &config), MB_OK);
    for (size_t bytes = 16; bytes <= 32768; bytes *= 2) {
        size_t count = 0;
        while ((blocks[count] = mb_size_classed_allocate(&classed, bytes, 1)) != NULL) count++;
        assert_int_equal(classed.state->error, MB_FULL);
        assert_true(count * bytes > (7 << 20) + (1 << 19));
        for (size_t i = 0; i < count; i++) assert_int_equal(mb_size_classed_deallocate(&classed, blocks[i]), MB_OK);
    }
    assert_non_null(mb_size_classed_allocate(&classed, 8 << 20, 1)); // all of it
    assert_int_equal(mb_size_classed_drop(&classed), MB_OK);
}

// --- what is said, and what happens ----------------------------------------------------------------------------------

static bool frees_twice(void *argument) {
    struct mb_slab_pool pool;
    (void)argument;
    mb_slab_pool_new(&pool, 64, 16, 1 << 20);
    void *p = mb_slab_pool_take(&pool);
    mb_slab_pool_give(&pool, p);
    mb_slab_pool_give(&pool, p);
    return true;
}

static void the_default_policy_ends_the_process(void **state) {
    (void)state;
    assert_int_equal(child_outcome(frees_twice, NULL), SIGABRT);
}

static void a_line_is_said(void **state) {
    (void)state;
    struct mb_slab_pool pool;
    struct mb_source_config config = counting(1 << 20);
    config.policy = MB_POLICY_LOG;
    assert_int_equal(mb_slab_pool_new_with(&pool, 64, 16, &config), MB_OK);
    void *p = mb_slab_pool_take(&pool);
    char expected[100], said[200] = "";
    snprintf(expected, sizeof expected, "mbmalloc: double free: %p\n", p);
    int ends[2], old = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    mb_slab_pool_give(&pool, p);
    enum mb_error error = mb_slab_pool_give(&pool, p);
    dup2(old, STDERR_FILENO);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    assert_string_equal(said, expected);
    assert_int_equal(error, MB_DOUBLE_FREE);
    assert_int_equal(mb_allocator_corruption_events(&pool.allocator), 1);
    close(ends[0]), close(ends[1]), close(old);
    assert_int_equal(mb_slab_pool_drop(&pool), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_grows_over_a_huge_range),     cmocka_unit_test(slots_of_every_size),
        cmocka_unit_test(every_slot_of_a_full_pool_counts), 
        cmocka_unit_test(a_small_range_makes_for_small_slabs),
        cmocka_unit_test(what_cannot_be_made),              cmocka_unit_test(a_small_range_has_to_hold_a_unit),
        cmocka_unit_test(random_traffic),                   cmocka_unit_test(large_blocks_are_really_freed),
        cmocka_unit_test(refused_purges), cmocka_unit_test(one_class_lives_of_what_another_gave_back),
        cmocka_unit_test(the_default_policy_ends_the_process), cmocka_unit_test(a_line_is_said),
    };
    kernel_small_pages(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
