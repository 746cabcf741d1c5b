// Pieces of units: runs do not overlap, the lowest one comes first, space behind a run, completely free units go back
// to the arena, and the state in a forked child.
#include <stdint.h>
#include <string.h>

#include <stdlib.h>

#include "core/front/malloc.h"
#include "core/region/arena.h"
#include "core/region/large_record.h"
#include "core/region/piece_map.h"
#include "core/region/pieces.h"
#include "core/region/recover.h"
#include "platform/os.h"
#include "tests/unit/memory.h"

enum { RUNS = 200 };

static struct mb_run take(size_t pieces, size_t align) {
    struct mb_run run;
    assert_true(mb_pieces_take(pieces, align, &run));
    assert_int_equal(run.first % align, 0);
    assert_int_equal(run.pieces, pieces);
    return run;
}

static void fill(struct mb_run run, int byte) { memset(mb_piece_address(run.first), byte, run.pieces << MB_PIECE_SHIFT); }

static bool is_all(struct mb_run run, int byte) {
    const unsigned char *p = mb_piece_address(run.first);
    for (size_t i = 0; i < run.pieces << MB_PIECE_SHIFT; i += 512) {
        if (p[i] != byte) return false;
    }
    return true;
}

static void runs_do_not_overlap(void **state) {
    (void)state;
    struct mb_run runs[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        runs[i] = take(8 + i * 7 % 121, (size_t)1 << i % 5);
        if (runs[i].zero) assert_true(is_all(runs[i], 0));
        fill(runs[i], (int)i);
    }
    for (size_t i = 0; i < RUNS; i++) assert_true(is_all(runs[i], (int)i));
    for (size_t i = 0; i < RUNS; i += 2) mb_pieces_give(runs[i].first, runs[i].pieces);
    for (size_t i = 0; i < RUNS; i += 2) {
        runs[i] = take(8 + i * 5 % 60, 1);
        assert_true(!runs[i].zero || is_all(runs[i], 0));
        fill(runs[i], (int)i);
    }
    for (size_t i = 0; i < RUNS; i++) assert_true(is_all(runs[i], (int)i));
    for (size_t i = 0; i < RUNS; i++) mb_pieces_give(runs[i].first, runs[i].pieces);
}

static void a_run_lies_close_behind_the_last(void **state) {
    (void)state;
    struct mb_run runs[64];
    mb_pieces_settle();
    for (size_t i = 0; i < 64; i++) runs[i] = take(18, 1);
    size_t from = SIZE_MAX, to = 0;
    for (size_t i = 0; i < 64; i++) {
        from = runs[i].first < from ? runs[i].first : from;
        to = runs[i].first + 18 > to ? runs[i].first + 18 : to;
    }
    assert_true(to - from <= (size_t)64 * 18 * 9 / 8);
    for (size_t i = 0; i < 64; i++) mb_pieces_give(runs[i].first, runs[i].pieces);
}

static void what_is_behind_can_be_had(void **state) {
    (void)state;
    bool zero;
    struct mb_run run = take(20, 16), again;
    size_t end = run.first + run.pieces;
    while (mb_pieces_take_at(end, 13, &zero)) end += 13; // through pieces and whole units, to what others have
    assert_true(end >= run.first + run.pieces + 5 * 13);
    memset(mb_piece_address(run.first), 1, (end - run.first) << MB_PIECE_SHIFT);
    mb_pieces_give(run.first, end - run.first);
    assert_true(mb_pieces_take_held(20, 1, &again) || mb_pieces_take(20, 1, &again));
    mb_pieces_give(again.first, again.pieces);
}

static void whole_units_go_back(void **state) {
    (void)state;
    struct mb_run run = take(100, 16);
    size_t unit = run.first / MB_UNIT_PIECES;
    assert_false(mb_arena_is_free(unit));
    mb_pieces_give(run.first, run.pieces);
    mb_pieces_settle();
    for (size_t i = 0; i < 100 / MB_UNIT_PIECES; i++) assert_true(mb_arena_is_free(unit + i));
    assert_int_equal(mb_pieces_free_in(unit), 0);
}

static void pages_go_back(void **state) {
    (void)state;
    size_t page = mb_os_page_size() >> MB_PIECE_SHIFT;
    if (page == MB_UNIT_PIECES) skip(); // all are whole units
    struct mb_run run = take(10 * page, page), wall = take(9 * page, page);
    fill(run, 1);
    fill(wall, 2);
    mb_pieces_give(run.first, run.pieces);
    mb_pieces_settle();
    mb_pieces_purge();
    assert_int_equal(mb_pieces_warm_units(), 0);
    assert_true(is_all(run, 0) && is_all(wall, 2));
    mb_pieces_give(wall.first, wall.pieces);
}

static void what_a_thread_had_in_its_hands_is_free_again(void **state) {
    (void)state;
    struct mb_run lost = take(5, 16);
    fill(lost, 1);
    mb_arena_recover_units();
    uint32_t free = mb_pieces_free_in(lost.first / MB_UNIT_PIECES);
    assert_true(mb_arena_is_free(lost.first / MB_UNIT_PIECES) || (free & 31) == 31);
    assert_true(is_all(lost, 0));
}

static void two_blocks_begin_in_one_unit(void **state) {
    (void)state;
    enum { BLOCKS = 40 };
    char *blocks[BLOCKS];
    size_t shared = 0;
    if (mb_os_page_size() == MB_UNIT_BYTES) skip();
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = mb_malloc(40000);
        memset(blocks[i], (int)i, 40000);
        struct mb_slab *large = mb_large_at(mb_unit_of(blocks[i]), mb_unit_offset(blocks[i]));
        assert_non_null(large);
        assert_ptr_equal(mb_large_start(large), blocks[i]);
        assert_ptr_equal(mb_large_around(blocks[i] + 39999), large);
        assert_null(mb_large_at(mb_unit_of(blocks[i]), (mb_unit_offset(blocks[i]) + 4096) & MB_UNIT_MASK));
        if (large == &mb_unit_of(blocks[i])->upper) shared++;
    }
    assert_true(shared > BLOCKS / 4);
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_int_equal(blocks[i][39999], (char)i);
        mb_free(blocks[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_do_not_overlap),
        cmocka_unit_test(a_run_lies_close_behind_the_last),
        cmocka_unit_test(what_is_behind_can_be_had),
        cmocka_unit_test(whole_units_go_back),
        cmocka_unit_test(pages_go_back),
        cmocka_unit_test(two_blocks_begin_in_one_unit),
        cmocka_unit_test(what_a_thread_had_in_its_hands_is_free_again),
    };
    mb_free(mb_malloc(100));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
