// The map of pieces: a search returns the lowest free run within a chunk, as examining every piece would; flags name
// the chunks with a completely free unit; and the number of words read for a search does not depend on the number of
// pieces. The map's sources are compiled so that each access of a word is counted.
#include "core/region/piece_map.h"
#include "core/region/piece_map_shared.h"
#include "platform/bits.h"
#include "tests/unit/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t words_looked_at;

// Instead of the arena's.
void *mb_arena_metadata(size_t bytes, size_t align) {
    void *p = aligned_alloc(align, mb_align_up(bytes, align));
    assert_non_null(p);
    return memset(p, 0, bytes);
}

enum { CHUNKS = 4, PIECES = CHUNKS * MB_CHUNK_PIECES, ROUNDS = 60000, MANY_CHUNKS = 4096 };
static bool plain[PIECES];

static uint64_t random_state = 1;
static size_t below(size_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)((random_state >> 33) * limit >> 31);
}

static size_t plain_find(size_t pieces) {
    size_t run = 0;
    for (size_t piece = 0; piece < PIECES; piece++) {
        if (piece % MB_CHUNK_PIECES == 0) run = 0;
        run = plain[piece] ? run + 1 : 0;
        if (run == pieces) return piece + 1 - pieces;
    }
    return MB_NO_PIECE;
}

static void mark(size_t first, size_t pieces, bool free) {
    for (size_t piece = first; piece < first + pieces; piece++) plain[piece] = free;
}

static void give(size_t first, size_t pieces) {
    mb_piece_map_release(first, pieces);
    mark(first, pieces, true);
}

static void take(size_t first, size_t pieces) {
    assert_true(mb_piece_map_claim(first, pieces));
    mark(first, pieces, false);
}

static size_t taken_from(size_t first, size_t most) {
    size_t count = 0;
    while (count < most && first + count < PIECES && !plain[first + count]) count++;
    return count;
}

static void finds_the_lowest_run(void **state) {
    (void)state;
    assert_true(mb_piece_map_extend(PIECES));
    give(0, PIECES);
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t pieces = 1 + below(round % 2 == 0 ? 20 : 143), first = mb_piece_map_find(pieces, 1);
        assert_int_equal(first, plain_find(pieces));
        if (first != MB_NO_PIECE) take(first, pieces);
        size_t at = below(PIECES), some = taken_from(at, 1 + below(first == MB_NO_PIECE ? 200 : 100));
        if (some > 0) give(at, some);
    }
    for (size_t align = 2; align <= 16; align *= 2) {
        size_t first = mb_piece_map_find(20, align);
        if (first != MB_NO_PIECE) assert_int_equal(first % align, 0);
    }
    for (size_t i = 0; i < PIECES; i++) {
        if (plain[i]) take(i, 1);
    }
    assert_int_equal(mb_piece_map_find(1, 1), MB_NO_PIECE);
}

static void note_chunk(void *chunks, size_t word) { ((bool *)chunks)[word / MB_CHUNK_WORDS] = true; }

static void flags_name_chunks_with_whole_units(void **state) {
    (void)state;
    bool seen[CHUNKS] = {false};
    while (mb_piece_map_visit_whole(note_chunk, seen)) continue;
    for (size_t chunk = 0; chunk < CHUNKS; chunk++)
        give(chunk * MB_CHUNK_PIECES + 100, 15 + (chunk & 1) * 16); // from 100: in odd chunks a unit
    memset(seen, 0, sizeof seen);
    while (mb_piece_map_visit_whole(note_chunk, seen)) continue;
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) assert_int_equal(seen[chunk], chunk & 1);
    give(96, 4); // the rest of a unit
    memset(seen, 0, sizeof seen);
    assert_true(mb_piece_map_visit_whole(note_chunk, seen));
    assert_true(seen[0] && !seen[1]);
    assert_false(mb_piece_map_visit_whole(note_chunk, seen));
}

static void count_free(void *count, size_t word) { *(size_t *)count += (size_t)__builtin_popcountll(mb_piece_map_free(word)); }

static void a_walk_sees_every_free_piece_once(void **state) {
    (void)state;
    size_t counted = 0, expected = 0, chunk = 0, steps = 0;
    for (size_t i = 0; i < PIECES; i++) expected += plain[i];
    while (chunk != MB_NO_PIECE) {
        chunk = mb_piece_map_walk(chunk, 1, count_free, &counted);
        steps++;
    }
    assert_int_equal(counted, expected);
    assert_true(steps <= CHUNKS + 1);
    counted = 0;
    mb_piece_map_recover(count_free, &counted);
    assert_int_equal(counted, expected);
}

static uint64_t looked_at_by(size_t pieces, size_t *first) {
    uint64_t before = words_looked_at;
    *first = mb_piece_map_find(pieces, 1);
    return words_looked_at - before;
}

// Every second run of eight pieces is free, in 64 GiB; one longer run lies at the far end. What is lowered once stays
// so until something is given.
static void looks_do_not_grow_with_the_map(void **state) {
    (void)state;
    enum { LENGTH = 40, LOOKS_MAX = 400 };
    size_t pieces = (size_t)MANY_CHUNKS * MB_CHUNK_PIECES, first;
    assert_true(mb_piece_map_extend(pieces));
    for (size_t piece = PIECES; piece < pieces; piece += 16) mb_piece_map_release(piece, 8);
    size_t far = pieces - 1024;
    mb_piece_map_release(far + 8, 8);
    mb_piece_map_release(far + 24, 8);
    looked_at_by(LENGTH, &first);
    assert_int_equal(first, far);
    for (unsigned round = 0; round < 100; round++) {
        uint64_t looks = looked_at_by(LENGTH, &first);
        assert_int_equal(first, far);
        assert_true(looks <= LOOKS_MAX);
        size_t some = PIECES + below((far - PIECES) / 16) * 16;
        assert_true(mb_piece_map_claim(some, 8)); // a free elsewhere makes the search look there again, once
        mb_piece_map_release(some, 8);
    }
    printf("a run of %d pieces behind 64 GiB of shorter ones: at most %d words looked at\n", LENGTH, LOOKS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_lowest_run),
        cmocka_unit_test(flags_name_chunks_with_whole_units),
        cmocka_unit_test(a_walk_sees_every_free_piece_once),
        cmocka_unit_test(looks_do_not_grow_with_the_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
