// Poison on free and quarantine: writes after free are found at any offset, and there are no false reports.
#include <string.h>

#include "core/base/rng.h"
#include "core/harden/fault_os.h"
#include "core/harden/poison.h"
#include "core/harden/poison_fill.h"
#include "core/harden/quarantine.h"
#include "tests/support/bases.h"
#include "tests/unit/memory.h"

static struct list_base list;
static struct libc_base libc;
static struct mb_poison poison;
static struct mb_quarantine quarantine;

static struct mb_allocator *poisoned(struct mb_allocator *base, size_t budget) {
    struct mb_poison_config config = MB_POISON_CONFIG;
    config.budget_bytes = budget;
    assert_int_equal(mb_poison_init(&poison, &config, MB_POLICY_COUNT, base), MB_OK);
    return &poison.hold.layer.api;
}

static struct mb_allocator *quarantined(struct mb_allocator *base, size_t budget) {
    struct mb_quarantine_config config = MB_QUARANTINE_CONFIG;
    config.budget_bytes = budget;
    assert_int_equal(mb_quarantine_init(&quarantine, &config, MB_POLICY_COUNT, base), MB_OK);
    return &quarantine.hold.layer.api;
}

static struct mb_allocator *over_list(void) {
    assert_int_equal(list_base_init(&list, (size_t)64 << 20), MB_OK);
    return &list.under.api;
}

static struct mb_allocator *over_libc(void) {
    libc_base_init(&libc, 0);
    return &libc.api;
}

// --- the primitive ---------------------------------------------------------------------------------------------------

static void every_flipped_bit_of_the_pattern_is_found(void **state) {
    (void)state;
    static unsigned char area[160];
    for (size_t start = 0; start < 9; start++) {
        for (size_t bytes = 0; bytes < 80; bytes++) {
            unsigned char *p = area + start;
            mb_poison_fill(p, bytes);
            assert_true(mb_poison_intact(p, bytes));
            assert_ptr_equal(mb_poison_first_wrong(p, bytes), p + bytes);
            for (size_t bit = 0; bit < 8 * bytes; bit++) {
                p[bit / 8] ^= (unsigned char)(1u << bit % 8);
                assert_false(mb_poison_intact(p, bytes));
                assert_ptr_equal(mb_poison_first_wrong(p, bytes), p + bit / 8);
                p[bit / 8] ^= (unsigned char)(1u << bit % 8);
            }
        }
    }
}

// --- poison ----------------------------------------------------------------------------------------------------------

static void a_freed_block_is_poison(void **state) {
    (void)state;
    struct mb_allocator *a = poisoned(over_libc(), 1 << 20);
    unsigned char *p = mb_allocator_allocate(a, 100, 16);
    memset(p, 1, 100);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    for (int i = 0; i < 100; i++) assert_int_equal(p[i], MB_POISON_BYTE);
    assert_ptr_not_equal(mb_allocator_allocate(a, 99, 16), p);
    assert_ptr_equal(mb_allocator_allocate(a, 100, 16), p); // used again, by the same size
    assert_ptr_not_equal(mb_allocator_allocate(a, 100, 16), p);
    assert_int_equal(mb_allocator_corruption_events(a), 0);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    assert_ptr_equal(mb_allocator_allocate_zeroed(a, 100, 16), p);
    assert_all_bytes((char *)p, 100, 0);
    mb_allocator_drop(a);
}

// The corruption matrix: each bit in turn, written after the block was freed, is found when its turn to be used comes,
// and the block never comes back.
static void poison_finds_each_bit_written_after_free(void **state) {
    (void)state;
    enum { BYTES = 48 };
    struct mb_allocator *a = poisoned(over_list(), 1 << 20);
    for (unsigned bit = 0; bit < 8 * BYTES; bit++) {
        unsigned char *p = mb_allocator_allocate(a, BYTES, 16);
        assert_int_equal(mb_allocator_deallocate(a, p, BYTES), MB_OK);
        assert_int_equal(mb_hold_damaged(&poison.hold), 0);
        p[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(mb_hold_damaged(&poison.hold), 1);
        void *q = mb_allocator_allocate(a, BYTES, 16);
        assert_int_equal(mb_allocator_corruption_events(a), bit + 1);
        assert_non_null(q);
        assert_ptr_not_equal(q, p);
        assert_int_equal(mb_hold_damaged(&poison.hold), 0);
    }
    mb_allocator_drop(a);
}

// If the memory is reused for another size or not at all, the write is found when the block goes back to the base.
static void poison_finds_writes_when_blocks_leave(void **state) {
    (void)state;
    struct mb_allocator *a = poisoned(over_list(), 1000);
    unsigned char *p = mb_allocator_allocate(a, 400, 16), *q = mb_allocator_allocate(a, 800, 16);
    mb_allocator_deallocate(a, p, 400);
    p[399] = 1;
    assert_int_equal(mb_allocator_corruption_events(a), 0);
    assert_int_equal(mb_allocator_deallocate(a, q, 800), MB_OK); // over the budget: the other one leaves
    assert_int_equal(mb_allocator_corruption_events(a), 1);
    assert_int_equal(list.live, 2); // the damaged one is lost on purpose, the other held
    mb_allocator_drop(a);
}

static void no_false_alarms(void **state) {
    (void)state;
    enum { HELD = 200 };
    static struct { unsigned char *p; size_t bytes; } held[HELD];
    struct mb_rng rng = {7};
    struct mb_allocator *a = poisoned(quarantined(over_list(), 20000), 20000); // poison over quarantine: both at once
    for (int i = 0; i < 30000; i++) {
        uint32_t k = mb_rng_below(&rng, HELD);
        if (held[k].p != NULL) {
            assert_int_equal(mb_allocator_deallocate(a, held[k].p, held[k].bytes), MB_OK);
            held[k].p = NULL;
            continue;
        }
        held[k].bytes = 1 + mb_rng_below(&rng, 300);
        held[k].p = mb_allocator_allocate(a, held[k].bytes, (size_t)1 << mb_rng_below(&rng, 8));
        if (held[k].p != NULL) memset(held[k].p, i, held[k].bytes);
    }
    assert_int_equal(mb_allocator_corruption_events(a), 0);
    assert_true(poison.hold.held.blocks.bytes <= 20000 && poison.hold.held.blocks.count > 0);
    assert_true(quarantine.hold.held.blocks.bytes <= 20000 && quarantine.hold.held.blocks.count > 0);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
}

static void poison_keeps_contents_when_sizes_change(void **state) {
    (void)state;
    struct mb_allocator *a = poisoned(over_libc(), 1 << 20);
    char *p = mb_allocator_allocate(a, 100, 16);
    memset(p, 3, 100);
    char *q = mb_allocator_grow(a, p, 100, 200, 16);
    assert_all_bytes(q, 100, 3);
    assert_int_equal((unsigned char)p[50], MB_POISON_BYTE); // the old place
    q = mb_allocator_shrink(a, q, 200, 20, 16);
    assert_all_bytes(q, 20, 3);
    assert_int_equal(mb_allocator_deallocate(a, q, 20), MB_OK);
    assert_int_equal(mb_allocator_drop(a), MB_OK);
    assert_int_equal(libc.live_blocks, 0);
}

// --- quarantine ------------------------------------------------------------------------------------------------------

static void a_freed_block_waits(void **state) {
    (void)state;
    enum { BLOCKS = 64, BYTES = 1000 };
    struct mb_allocator *a = quarantined(over_libc(), BLOCKS * BYTES);
    for (int i = 0; i < 4 * BLOCKS; i++) {
        void *p = mb_allocator_allocate(a, BYTES, 16);
        assert_int_equal(mb_allocator_deallocate(a, p, BYTES), MB_OK);
        size_t waiting = quarantine.hold.held.blocks.count;
        assert_int_equal(waiting, i + 1 < BLOCKS ? i + 1 : BLOCKS);
        assert_int_equal(libc.live_blocks, waiting);
        assert_true(mb_waiting_has(&quarantine.hold.held, p)); // never the newest
    }
    mb_allocator_drop(a);
    assert_int_equal(libc.live_blocks, 0);
}

// A block leaves at random: its place in the order differs from run to run, and is not the first.
static void leaving_is_random(void **state) {
    (void)state;
    enum { BLOCKS = 32 };
    int first_left = 0;
    for (int round = 0; round < 64; round++) {
        struct mb_allocator *a = quarantined(over_libc(), BLOCKS * 64);
        void *first = mb_allocator_allocate(a, 64, 16);
        mb_allocator_deallocate(a, first, 64);
        for (int i = 0; i < BLOCKS; i++) mb_allocator_deallocate(a, mb_allocator_allocate(a, 64, 16), 64);
        first_left += !mb_waiting_has(&quarantine.hold.held, first);
        mb_allocator_drop(a);
    }
    assert_in_range(first_left, 0, 20); // 2 expected; a queue would make it 64
}

static void quarantine_finds_writes_after_free(void **state) {
    (void)state;
    enum { BYTES = 33 };
    struct mb_allocator *a = quarantined(over_list(), 1 << 20);
    for (unsigned bit = 0; bit < 8 * BYTES; bit++) {
        unsigned char *p = mb_allocator_allocate(a, BYTES, 16);
        mb_allocator_deallocate(a, p, BYTES);
        p[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(mb_hold_damaged(&quarantine.hold), 1);
        assert_true(mb_hold_flush(&quarantine.hold));
        assert_int_equal(mb_allocator_corruption_events(a), bit + 1);
        assert_false(mb_hold_flush(&quarantine.hold));
        assert_ptr_not_equal(mb_allocator_allocate(a, BYTES, 16), p);
    }
    mb_allocator_drop(a);
}

static void old_place_of_a_grown_block_waits(void **state) {
    (void)state;
    struct mb_allocator *a = quarantined(over_libc(), 1 << 20);
    char *p = mb_allocator_allocate(a, 64, 16);
    memset(p, 2, 64);
    char *q = mb_allocator_grow(a, p, 64, 65, 16);
    assert_all_bytes(q, 64, 2);
    assert_true(mb_waiting_has(&quarantine.hold.held, p));
    p[3] = 1;
    mb_hold_flush(&quarantine.hold);
    assert_int_equal(mb_allocator_corruption_events(a), 1);
    mb_allocator_drop(a);
}

static void pressure_flushes(void **state) {
    (void)state;
    for (int which = 0; which < 2; which++) {
        struct mb_allocator *base = over_libc();
        struct mb_allocator *a = which ? poisoned(base, 1 << 20) : quarantined(base, 1 << 20);
        libc.limit_bytes = 10000;
        for (int i = 0; i < 100; i++) {
            void *p = mb_allocator_allocate(a, 1008 + 16 * (size_t)i, 16);
            assert_non_null(p);
            assert_int_equal(mb_allocator_deallocate(a, p, 1008 + 16 * (size_t)i), MB_OK);
        }
        assert_non_null(mb_allocator_allocate_zeroed(a, 9984, 16));
        assert_null(mb_allocator_allocate(a, 5000, 16));
        assert_int_equal(mb_allocator_last_error(a), MB_FULL);
        mb_allocator_drop(a);
    }
}

// --- both ------------------------------------------------------------------------------------------------------------

static void mistakes_are_told_at_the_door(void **state) {
    (void)state;
    char foreign[64];
    for (int which = 0; which < 2; which++) {
        struct mb_allocator *base = over_list();
        struct mb_allocator *a = which ? poisoned(base, 1 << 20) : quarantined(base, 1 << 20);
        void *p = mb_allocator_allocate(a, 64, 16);
        memset(foreign, 9, sizeof foreign);
        assert_int_equal(mb_allocator_deallocate(a, foreign, 64), MB_BAD_POINTER);
        assert_all_bytes(foreign, 64, 9);
        assert_int_equal(mb_allocator_deallocate(a, (char *)p + 16, 16), MB_BAD_POINTER);
        assert_int_equal(mb_allocator_deallocate(a, p, 1000), MB_BAD_SIZE);
        assert_int_equal(mb_allocator_corruption_events(a), 0);
        assert_int_equal(mb_allocator_usable_size(a, p), 64);
        assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_OK);
        assert_int_equal(mb_allocator_usable_size(a, p), 0);
        assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_DOUBLE_FREE);
        assert_int_equal(mb_allocator_last_error(a), MB_DOUBLE_FREE);
        assert_null(mb_allocator_grow(a, p, 64, 65, 16));
        assert_int_equal(mb_allocator_last_error(a), MB_DOUBLE_FREE);
        assert_null(mb_allocator_shrink(a, p, 64, 63, 16));
        assert_null(mb_allocator_grow(a, (void *)(uintptr_t)4096, 64, 65, 16)); // told before it is read
        assert_int_equal(mb_allocator_last_error(a), MB_BAD_POINTER);
        assert_int_equal(mb_allocator_corruption_events(a), 3);
        mb_allocator_drop(a);
    }
}

static void too_large_to_wait(void **state) {
    (void)state;
    struct mb_allocator *a = quarantined(over_libc(), 100);
    void *p = mb_allocator_allocate(a, 50, 16), *q = mb_allocator_allocate(a, 101, 16);
    mb_allocator_deallocate(a, p, 50);
    assert_int_equal(mb_allocator_deallocate(a, q, 101), MB_OK);
    assert_int_equal(libc.live_blocks, 1);
    mb_allocator_drop(a);
}

// Without memory for the table, blocks go straight to the base and none is lost.
static void works_without_room_for_its_table(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    for (int which = 0; which < 2; which++) {
        struct mb_allocator *base = over_libc();
        struct mb_allocator *a = which ? poisoned(base, 1 << 20) : quarantined(base, 1 << 20);
        void *p = mb_allocator_allocate(a, 64, 16);
        assert_int_equal(mb_fault_os_arm(&always, 1u << MB_OS_CALL_RESERVE), MB_OK);
        assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_OK);
        assert_int_equal(libc.live_blocks, 0);
        mb_fault_os_disarm();
        static void *many[600];
        for (int i = 0; i < 600; i++) many[i] = mb_allocator_allocate(a, 64, 16);
        for (int i = 0; i < 512; i++) mb_allocator_deallocate(a, many[i], 64);
        assert_int_equal(mb_fault_os_arm(&always, 1u << MB_OS_CALL_COMMIT), MB_OK);
        for (int i = 512; i < 600; i++) assert_int_equal(mb_allocator_deallocate(a, many[i], 64), MB_OK);
        mb_fault_os_disarm();
        assert_int_equal(libc.live_blocks, 512);
        mb_allocator_drop(a);
        assert_int_equal(libc.live_blocks, 0);
    }
}

static void cannot_act(void **state) {
    (void)state;
    struct mb_poison_config p = MB_POISON_CONFIG;
    struct mb_quarantine_config q = MB_QUARANTINE_CONFIG;
    libc_base_init(&libc, MB_TRAIT_FREES);
    assert_int_equal(mb_poison_init(&poison, &p, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    assert_int_equal(mb_quarantine_init(&quarantine, &q, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    libc_base_init(&libc, 0);
    libc.table.traits |= MB_TRAIT_ORDERED;
    assert_int_equal(mb_poison_init(&poison, &p, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    assert_int_equal(mb_quarantine_init(&quarantine, &q, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    libc_base_init(&libc, 0);
    p.budget_bytes = q.budget_bytes = 0;
    assert_int_equal(mb_poison_init(&poison, &p, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    assert_int_equal(mb_quarantine_init(&quarantine, &q, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    p.size = q.size = 8;
    assert_int_equal(mb_poison_init(&poison, &p, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
    assert_int_equal(mb_quarantine_init(&quarantine, &q, MB_POLICY_COUNT, &libc.api), MB_BAD_CONFIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_of_the_pattern_is_found),
        cmocka_unit_test(a_freed_block_is_poison),
        cmocka_unit_test(poison_finds_each_bit_written_after_free),
        cmocka_unit_test(poison_finds_writes_when_blocks_leave),
        cmocka_unit_test(no_false_alarms),
        cmocka_unit_test(poison_keeps_contents_when_sizes_change),
        cmocka_unit_test(a_freed_block_waits),
        cmocka_unit_test(leaving_is_random),
        cmocka_unit_test(quarantine_finds_writes_after_free),
        cmocka_unit_test(old_place_of_a_grown_block_waits),
        cmocka_unit_test(pressure_flushes),
        cmocka_unit_test(mistakes_are_told_at_the_door),
        cmocka_unit_test(too_large_to_wait),
        cmocka_unit_test(works_without_room_for_its_table),
        cmocka_unit_test(cannot_act),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
