// The records of large blocks: those of long blocks far into the address window are in a separate table, so that no
// page of descriptors is touched for them.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/front/large.h"
#include "core/front/malloc.h"
#include "core/large/large_keep.h"
#include "core/region/arena.h"
#include "core/region/large_record.h"
#include "core/region/recover.h"
#include "tests/unit/memory.h"

enum { MIB = 1 << 20, SHIFT_BLOCKS = 700, MIXED = 300, STEPS = 30000 };

static char *below[SHIFT_BLOCKS]; // so that what comes later begins behind the first 64 MiB

static bool is_in_table(const struct mb_slab *large) {
    return (const char *)large >= (char *)mb_space.table && (const char *)large < (char *)mb_unit_at(mb_arena_units());
}

static struct mb_slab *record_of(const void *p) {
    struct mb_slab *large = mb_large_at(mb_unit_of(p), mb_unit_offset(p));
    assert_non_null(large);
    assert_ptr_equal(large, mb_large_of_piece(mb_piece_of(p)));
    assert_ptr_equal(mb_large_start(large), p);
    return large;
}

static void only_long_blocks_far_up_have_one_there(void **state) {
    (void)state;
    char *longer = mb_malloc(2 * MIB), *shorter = mb_malloc(600000), *piece = mb_malloc(70000);
    assert_true(mb_unit_index_of(longer) >= MB_LONG_FIRST_UNIT);
    assert_true(is_in_table(record_of(below[0])));
    assert_true(is_in_table(record_of(shorter)));
    assert_true(is_in_table(record_of(piece)));
    assert_false(is_in_table(record_of(longer)));
    assert_ptr_equal(mb_large_around(longer + 2 * MIB - 1), record_of(longer));
    assert_int_equal(mb_usable_size(longer), 2 * MIB);
    mb_free(longer);
    mb_free(shorter);
    mb_free(piece);
}

static void no_page_of_descriptors_is_touched(void **state) {
    (void)state;
    enum { BLOCKS = 100 };
    char *blocks[BLOCKS], *spacer = mb_malloc(4 * MIB);
    size_t first = mb_unit_index_of(spacer), last;
    for (int i = 0; i < BLOCKS; i++) blocks[i] = mb_malloc(4 * MIB - 4096);
    last = mb_unit_index_of(blocks[BLOCKS - 1]);
    uintptr_t from = ((uintptr_t)mb_unit_at(first) + 4095) & ~(uintptr_t)4095, to = (uintptr_t)mb_unit_at(last) & ~(uintptr_t)4095;
    assert_true(to - from >= (BLOCKS - 1) * 64 * sizeof(struct mb_unit) - 4096);
    assert_true(mb_os_resident_pages((void *)from, to - from) <= 2); // of holes that these blocks did not fill
    for (int i = 0; i < BLOCKS; i++) mb_free(blocks[i]);
    mb_free(spacer);
}

// A block that was long keeps its place when it is cut; the next one that begins in the same MiB has its record in its
// descriptor.
static void two_begin_in_one_mib(void **state) {
    (void)state;
    mb_large_flush();
    char *tried[64], *cut;
    int tries = 0;
    do cut = tried[tries++] = mb_malloc(16 * MIB);
    while (tries < 64 && mb_unit_index_of(cut) % MB_LONG_UNITS > 8); // one that begins in the first half of a MiB
    assert_false(is_in_table(record_of(cut)));
    assert_ptr_equal(mb_realloc(cut, 100000), cut);
    assert_false(is_in_table(record_of(cut)));
    struct mb_span behind = {mb_unit_index_of(cut) + 2, MB_LONG_UNITS, false};
    assert_true(mb_arena_take_at(behind.first, behind.units, &behind.zero));
    struct mb_slab *next = mb_large_new_record(mb_pieces_in(behind.first), mb_pieces_in(behind.units));
    bool same_mib = behind.first / MB_LONG_UNITS == mb_unit_index_of(cut) / MB_LONG_UNITS;
    assert_true(is_in_table(next) == same_mib);
    assert_ptr_equal(next, mb_large_of_piece(mb_pieces_in(behind.first)));
    record_of(cut);
    mb_large_let_go(next);
    mb_arena_give(behind.first, behind.units);
    while (tries > 0) mb_free(tried[--tries]);
}

// A block of any length may begin where a long one has begun before, whatever has become of its record.
static void a_place_is_used_again(void **state) {
    (void)state;
    size_t units = 64;
    struct mb_span span;
    assert_true(mb_arena_take(units, MB_LONG_UNITS, &span));
    size_t first = mb_pieces_in(span.first);
    assert_true(span.first >= MB_LONG_FIRST_UNIT);
    struct mb_slab *large = mb_large_new_record(first, mb_pieces_in(units));
    assert_false(is_in_table(large));
    struct mb_slab *shorter = mb_large_new_record(first, mb_pieces_in(2)); // as in a child of a thread that had it in its hands
    assert_true(is_in_table(shorter));
    assert_ptr_equal(mb_large_of_piece(first), shorter);
    struct mb_slab *again = mb_large_new_record(first, mb_pieces_in(units));
    assert_ptr_equal(again, large);
    assert_ptr_equal(mb_large_of_piece(first), large);
    mb_large_let_go(large);
    mb_arena_give(span.first, span.units);
}

static uint32_t random_next(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static size_t random_bytes(void) {
    static const size_t most[] = {100000, 600000, 3 * MIB, 9 * MIB};
    return 33000 + random_next() % most[random_next() % 4];
}

static void check(char *p, size_t bytes, char mark) {
    assert_int_equal(p[0], mark);
    assert_int_equal(p[bytes - 1], mark);
    struct mb_slab *large = record_of(p);
    assert_true(large->large_bytes >= bytes);
    assert_ptr_equal(mb_large_around(p + bytes - 1), large);
}

static void any_lengths_at_random(void **state) {
    (void)state;
    static struct {
        char *p;
        size_t bytes;
    } of[MIXED];
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_next() % MIXED, bytes = random_bytes();
        char *old = of[i].p;
        if (old != NULL) check(old, of[i].bytes, (char)i);
        if (old != NULL && random_next() % 3 != 0) {
            of[i].p = mb_realloc(old, bytes);
            assert_int_equal(of[i].p[0], (char)i);
        } else {
            mb_free(old);
            of[i].p = mb_malloc(bytes);
        }
        of[i].bytes = bytes;
        of[i].p[0] = of[i].p[bytes - 1] = (char)i;
    }
    for (size_t i = 0; i < MIXED; i++) {
        if (of[i].p != NULL) check(of[i].p, of[i].bytes, (char)i);
        mb_free(of[i].p);
    }
    mb_large_flush();
    for (size_t unit = MB_LONG_FIRST_UNIT; unit < mb_arena_units(); unit++) assert_null(mb_large_long_at(mb_unit_at(unit)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_long_blocks_far_up_have_one_there),
        cmocka_unit_test(no_page_of_descriptors_is_touched),
        cmocka_unit_test(two_begin_in_one_mib),
        cmocka_unit_test(a_place_is_used_again),
        cmocka_unit_test(any_lengths_at_random),
    };
    for (int i = 0; i < SHIFT_BLOCKS; i++) below[i] = mb_malloc(100000);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
