// A run of pieces that ends in the middle of a unit: what another block holds in the rest of that unit stays, also
// where the chunk of 2 MiB is emptied for a huge page.
#include <stdint.h>
#include <string.h>

#include "core/front/malloc.h"
#include "core/region/arena.h"
#include "core/region/huge.h"
#include "core/region/huge_chunk.h"
#include "core/region/pieces.h"
#include "tests/unit/memory.h"

enum { LONGS = 6, LONG_BYTES = 12 << 20, GROWN_BYTES = 24 << 20, OTHERS_PIECES = 9, MINE_PIECES = 10 };

static size_t unit_of(const void *p) { return mb_piece_of(p) / MB_UNIT_PIECES; }

// Long blocks that are written, so that further ones get huge pages.
static void fill_heap(char **longs) {
    for (size_t i = 0; i < LONGS; i++) {
        longs[i] = mb_malloc(LONG_BYTES);
        memset(longs[i], 1, LONG_BYTES);
    }
}

// Leaves the unit behind the heap free, without pages, in chunks that something is known of.
static size_t free_behind(void) {
    char *p = mb_malloc(GROWN_BYTES + (4 << 20));
    size_t unit = unit_of(p);
    memset(p, 1, GROWN_BYTES);
    mb_free(p);
    mb_pieces_settle();
    mb_arena_purge_any(SIZE_MAX);
    return unit + MB_HUGE_CHUNK_UNITS;
}

static struct mb_run take_at(size_t first, size_t pieces) {
    struct mb_run run = {first, pieces, false};
    assert_true(mb_pieces_take_at(first, pieces, &run.zero));
    return run;
}

static void the_rest_of_the_last_unit_is_anothers(void **state) {
    (void)state;
    char *longs[LONGS];
    if (!mb_huge_is_wanted()) skip();
    fill_heap(longs);
    size_t unit = free_behind();
    struct mb_run mine = take_at(mb_pieces_in(unit), MINE_PIECES);
    size_t more = (GROWN_BYTES >> MB_PIECE_SHIFT) - OTHERS_PIECES - MINE_PIECES;
    struct mb_run grown = take_at(mine.first + mine.pieces, more);
    struct mb_run other = take_at(grown.first + grown.pieces, OTHERS_PIECES);
    assert_true(grown.zero);
    assert_int_not_equal(mb_huge_flags(mb_huge_chunk_of(other.first / MB_UNIT_PIECES)), 0); // so it would be emptied
    memset(mb_piece_address(mine.first), 2, mine.pieces << MB_PIECE_SHIFT);
    memset(mb_piece_address(other.first), 3, other.pieces << MB_PIECE_SHIFT);
    mb_huge_taken_run(&grown, MB_HUGE_FILLED);
    const char *p = mb_piece_address(mine.first), *q = mb_piece_address(other.first);
    for (size_t i = 0; i < mine.pieces << MB_PIECE_SHIFT; i++) assert_int_equal(p[i], 2);
    for (size_t i = 0; i < other.pieces << MB_PIECE_SHIFT; i++) assert_int_equal(q[i], 3);
    assert_true(mb_huge_is_wished(mb_huge_chunk_of(unit) + MB_HUGE_CHUNK_UNITS));
    for (size_t i = 0; i < LONGS; i++) mb_free(longs[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_rest_of_the_last_unit_is_anothers)};
    mb_free(mb_malloc(100));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
