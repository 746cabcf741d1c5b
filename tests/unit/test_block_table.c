// The table of blocks is compared with a plain array over thousands of random steps, and tested over a system that
// refuses.
#include <string.h>

#include "core/base/rng.h"
#include "core/harden/block_table.h"
#include "core/harden/fault_os.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

enum { MOST = 3000 };
static struct { uintptr_t at; size_t bytes; } model[MOST];
static uint32_t model_count;

static void add_one(struct mb_block_table *table, struct mb_rng *rng) {
    uintptr_t at = (mb_rng_next(rng) & 0xffffff) << 4;
    if (mb_block_table_find(table, at) != MB_BLOCK_NONE) return;
    assert_int_equal(mb_block_table_reserve(table, 1), MB_OK);
    size_t bytes = 16 + 16 * (size_t)mb_rng_below(rng, 20);
    mb_block_table_add(table, at, bytes, at ^ 7);
    model[model_count].at = at;
    model[model_count++].bytes = bytes;
}

static void take_one(struct mb_block_table *table, struct mb_rng *rng) {
    uint32_t k = mb_rng_below(rng, model_count);
    uint32_t index = mb_block_table_find(table, model[k].at);
    assert_true(index != MB_BLOCK_NONE);
    struct mb_known_block block = mb_block_table_take(table, index);
    assert_int_equal(block.at, model[k].at);
    assert_int_equal(block.bytes, model[k].bytes);
    assert_int_equal(block.extra, block.at ^ 7);
    assert_int_equal(mb_block_table_find(table, block.at), MB_BLOCK_NONE);
    model[k] = model[--model_count];
}

static void take_by_size(struct mb_block_table *table, struct mb_rng *rng) {
    uint32_t index = mb_block_table_find_size(table, 16 + 16 * (size_t)mb_rng_below(rng, 20), 16);
    if (index == MB_BLOCK_NONE) return;
    struct mb_known_block block = mb_block_table_take(table, index);
    uint32_t k = 0;
    while (model[k].at != block.at) k++;
    assert_int_equal(model[k].bytes, block.bytes);
    model[k] = model[--model_count];
}

static void agrees_with_an_array(void **state) {
    (void)state;
    struct mb_block_table table;
    struct mb_rng rng = {42};
    model_count = 0;
    mb_block_table_init(&table, true);
    for (int step = 0; step < 60000; step++) {
        uint32_t what = mb_rng_below(&rng, 100);
        if (what < 50 && model_count < MOST) add_one(&table, &rng);
        else if (what < 75 && model_count > 0) take_one(&table, &rng);
        else take_by_size(&table, &rng);
        assert_int_equal(table.count, model_count);
        if (step % 1000 == 0) assert_true(mb_block_table_check(&table));
    }
    assert_true(mb_block_table_check(&table));
    mb_block_table_clear(&table);
    assert_true(mb_block_table_check(&table));
    assert_int_equal(mb_block_table_drop(&table), MB_OK);
}

static void finds_by_size_and_alignment(void **state) {
    (void)state;
    struct mb_block_table table;
    mb_block_table_init(&table, true);
    assert_int_equal(mb_block_table_find_size(&table, 64, 16), MB_BLOCK_NONE);
    assert_int_equal(mb_block_table_reserve(&table, 2), MB_OK);
    mb_block_table_add(&table, 0x1040, 64, 0);
    mb_block_table_add(&table, 0x2010, 64, 0);
    assert_int_equal(table.blocks[mb_block_table_find_size(&table, 64, 16)].at, 0x2010);
    assert_int_equal(table.blocks[mb_block_table_find_size(&table, 64, 64)].at, 0x1040);
    assert_int_equal(mb_block_table_find_size(&table, 64, 128), MB_BLOCK_NONE);
    assert_int_equal(mb_block_table_find_size(&table, 80, 16), MB_BLOCK_NONE);
    assert_int_equal(mb_block_table_drop(&table), MB_OK);
}

static void refused_growth_changes_nothing(void **state) {
    (void)state;
    struct mb_block_table table;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    mb_block_table_init(&table, false);
    const uint32_t each[] = {1u << MB_OS_CALL_RESERVE, 1u << MB_OS_CALL_COMMIT};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(mb_fault_os_arm(&always, each[i]), MB_OK);
        assert_int_equal(mb_block_table_reserve(&table, 1), MB_REFUSED);
        assert_int_equal(mb_fault_os_struck(), 1);
        mb_fault_os_disarm();
    }
    assert_int_equal(table.capacity, 0);
    assert_int_equal(mb_block_table_reserve(&table, 1), MB_OK);
    while (table.count < table.capacity) mb_block_table_add(&table, 16 + 16 * (uintptr_t)table.count, 8, 0);
    struct mb_block_table before = table;
    assert_int_equal(mb_fault_os_arm(&always, MB_FAULT_OS_ALL), MB_OK);
    assert_int_equal(mb_block_table_reserve(&table, 1), MB_REFUSED);
    mb_fault_os_disarm();
    assert_memory_equal(&before, &table, sizeof table);
    assert_true(mb_block_table_check(&table));
    assert_int_equal(mb_block_table_drop(&table), MB_OK);
}

// A layer's table lies between two inaccessible pages.
static void stands_between_guards(void **state) {
    (void)state;
    struct mb_block_table table;
    mb_block_table_init(&table, true);
    assert_int_equal(mb_block_table_reserve(&table, 1), MB_OK);
    struct kernel_mapping mapping = kernel_mapping_of(table.blocks);
    assert_string_equal(mapping.access, "rw-p");
    assert_string_equal(kernel_mapping_of((char *)mapping.first - 1).access, "---p");
    assert_string_equal(kernel_mapping_of((char *)mapping.last).access, "---p");
    assert_true((uintptr_t)(table.heads + 2 * (size_t)table.capacity) <= mapping.last);
    assert_int_equal(mb_block_table_drop(&table), MB_OK);
    assert_false(kernel_mapping_at((char *)mapping.first, &mapping));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(finds_by_size_and_alignment),
        cmocka_unit_test(refused_growth_changes_nothing),
        cmocka_unit_test(stands_between_guards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
