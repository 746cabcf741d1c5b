// The map of units: a search returns the lowest free run, as examining every unit would, and the number of words read
// for it does not depend on the number of units or on how the free ones are distributed. The map's sources are compiled
// so that each access of a word is counted.
#include "core/region/map_runs.h"
#include "core/region/unit_map.h"
#include "tests/unit/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a find, a claim and a release may look at in words, for a span within a word of bits, wherever it lies in 1 TiB.
// Six levels of eight words for each of two kinds of units, found, claimed, released, each looked at twice: 400 are
// needed by what is below. Each level more costs some 50.
enum { WORDS_MAX = 550, ALIGNED_WORDS_MAX = 2000, LEVEL_WORDS_MAX = 75 };
// A word of a longer span is claimed, released, and summed up twice for each kind.
enum { WORDS_PER_WORD = 24 };

uint64_t words_looked_at;

struct ground {
    struct mb_unit_map map;
    struct mb_map_top_shared top;
    size_t units;
};

static struct mb_map_chunk_shared *make_chunk(void *context) {
    (void)context;
    struct mb_map_chunk_shared *chunk = aligned_alloc(64, mb_align_up(sizeof *chunk, 64));
    assert_non_null(chunk);
    return memset(chunk, 0, sizeof *chunk);
}

// No unit is free.
static void begin(struct ground *ground, size_t units) {
    memset(ground, 0, sizeof *ground);
    size_t chunks = (units + MB_MAP_CHUNK_UNITS - 1) / MB_MAP_CHUNK_UNITS;
    ground->map.limit = chunks;
    ground->map.chunks = calloc(chunks, sizeof *ground->map.chunks);
    ground->map.upper = aligned_alloc(64, mb_map_upper_runs(chunks) * sizeof *ground->map.upper);
    assert_true(ground->map.chunks != NULL && ground->map.upper != NULL);
    memset(ground->map.upper, 0, mb_map_upper_runs(chunks) * sizeof *ground->map.upper);
    ground->map.top = &ground->top;
    ground->units = units;
    for (size_t some = 100; some < units; some += some / 2) assert_true(mb_map_extend(&ground->map, some, make_chunk, NULL));
    assert_true(mb_map_extend(&ground->map, units, make_chunk, NULL));
    assert_false(mb_map_extend(&ground->map, units + 2 * MB_MAP_CHUNK_UNITS, make_chunk, NULL));
}

static void end(struct ground *ground) {
    for (size_t i = 0; i < ground->map.limit; i++) free(ground->map.chunks[i]);
    free(ground->map.chunks);
    free(ground->map.upper);
}

// --- against a look at every unit ------------------------------------------------------------------------------------

static uint64_t random_state = 1;
static size_t below(size_t limit) {
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)((random_state >> 33) * limit >> 31);
}

enum { PLAIN_UNITS = 40000 };
static struct plain { bool free, warm, bare; } plain[PLAIN_UNITS];

static bool is_of(enum mb_map_plane plane, size_t unit) {
    return plain[unit].free && (plane != MB_MAP_WARM || plain[unit].warm) && (plane != MB_MAP_COMMITTED || !plain[unit].bare);
}

static size_t plain_find(enum mb_map_plane plane, size_t units, size_t limit) {
    size_t run = 0;
    for (size_t unit = 0; unit < limit; unit++) {
        run = is_of(plane, unit) ? run + 1 : 0;
        if (run == units) return unit + 1 - units;
    }
    return MB_NO_UNIT;
}

static bool plain_fits(enum mb_map_plane plane, size_t first, size_t units) {
    for (size_t unit = first; unit < first + units; unit++) {
        if (!is_of(plane, unit)) return false;
    }
    return true;
}

static size_t plain_free_before(size_t end) {
    while (end > 0 && plain[end - 1].free) end--;
    return end;
}

static size_t plain_word_below(enum mb_map_plane plane, size_t word) {
    for (size_t unit = word * 64; unit-- > 0;) {
        if (unit < PLAIN_UNITS && is_of(plane, unit)) return unit / 64;
    }
    return MB_NO_UNIT;
}

static void give(struct ground *ground, size_t first, size_t units, bool warm, bool bare) {
    if (warm)
        mb_map_set_warm(&ground->map, first, units);
    else
        mb_map_set_cold(&ground->map, first, units);
    if (bare) mb_map_begin_bare(&ground->map, ground->units);
    if (bare)
        mb_map_set_bare(&ground->map, first, units);
    else
        mb_map_set_committed(&ground->map, first, units);
    mb_map_release(&ground->map, first, units);
    for (size_t unit = first; unit < first + units; unit++) plain[unit] = (struct plain){true, warm, bare};
}

static void take(struct ground *ground, size_t first, size_t units) {
    assert_true(mb_map_claim(&ground->map, first, units));
    for (size_t unit = first; unit < first + units; unit++) plain[unit].free = false;
}

static size_t a_length(void) { return 1 + below((size_t)1 << below(13)); }

static void give_some(struct ground *ground, bool with_bare) {
    size_t first = below(ground->units), units = 0, most = a_length();
    while (first + units < ground->units && units < most && !plain[first + units].free) units++;
    bool warm = below(2) == 0;
    if (units > 0) give(ground, first, units, warm, !warm && with_bare && below(3) == 0);
}

static void take_some(struct ground *ground, enum mb_map_plane plane) {
    struct mb_map_query query = {a_length(), 1, 0};
    size_t found = mb_map_find(&ground->map, plane, &query);
    assert_int_equal(found, plain_find(plane, query.units, ground->units));
    if (found != MB_NO_UNIT) take(ground, found, query.units);
    size_t first = below(ground->units);
    if (query.units > ground->units - first) return;
    bool fits = plain_fits(MB_MAP_FREE, first, query.units);
    if (fits)
        take(ground, first, query.units);
    else
        assert_false(mb_map_claim(&ground->map, first, query.units));
}

static void take_aligned(struct ground *ground, enum mb_map_plane plane) {
    struct mb_map_query query = {a_length(), (size_t)1 << below(9), below(512)};
    size_t found = mb_map_find(&ground->map, plane, &query);
    if (found == MB_NO_UNIT) {
        assert_int_equal(plain_find(plane, query.units + query.align - 1, ground->units), MB_NO_UNIT);
        return;
    }
    assert_int_equal((found + query.phase) % query.align, 0);
    assert_true(plain_fits(plane, found, query.units));
    take(ground, found, query.units);
}

static void look_around(const struct ground *ground, enum mb_map_plane plane) {
    size_t at = below(ground->units);
    assert_int_equal(mb_map_free_before(&ground->map, at), plain_free_before(at));
    assert_int_equal(mb_map_is_free(&ground->map, at), plain[at].free);
    assert_int_equal(mb_map_word_below(&ground->map, plane, at / 64), plain_word_below(plane, at / 64));
    size_t word = mb_map_word_from(&ground->map, plane, at / 64);
    if (word != MB_NO_UNIT) {
        assert_true(mb_map_bits(&ground->map, plane, word) != 0);
        assert_true(word >= at / 64);
    }
    if (word == MB_NO_UNIT) word = (ground->units + 63) / 64;
    size_t before = plain_word_below(plane, word);
    assert_true(before == MB_NO_UNIT || before < at / 64);
}

static void finds_what_a_look_at_every_unit_finds(void **state) {
    (void)state;
    static const size_t sizes[] = {64, 300, 512, 513, 4096, 5000, PLAIN_UNITS};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ground ground;
        begin(&ground, sizes[i]);
        memset(plain, 0, sizeof plain);
        for (unsigned round = 0; round < 1200; round++) {
            bool with_bare = round > 600;
            if (round == 601) mb_map_begin_bare(&ground.map, ground.units);
            enum mb_map_plane plane = (enum mb_map_plane)below(with_bare ? MB_MAP_PLANES : MB_MAP_COMMITTED);
            for (size_t n = below(4); n > 0; n--) give_some(&ground, with_bare);
            if (below(2) == 0) take_some(&ground, plane);
            if (below(3) == 0) take_aligned(&ground, plane);
            if (round % 16 == 0) look_around(&ground, plane);
        }
        end(&ground);
    }
}

// The tree is in a state in which the parent's threads may have left it at the fork.
static void a_child_makes_the_tree_anew(void **state) {
    (void)state;
    struct ground ground;
    begin(&ground, PLAIN_UNITS);
    memset(plain, 0, sizeof plain);
    for (unsigned round = 0; round < 300; round++) give_some(&ground, true);
    for (size_t i = 0; i < 1000; i++) {
        unsigned level = 1 + (unsigned)below(4);
        size_t index = below((PLAIN_UNITS - 1) / mb_map_part_units(level) + 1);
        mb_map_runs_of(&ground.map, level, index)->part[below(MB_MAP_PLANES)][index % MB_RUN_PARTS] = below(2) == 0 ? 0 : MB_RUN_FULL;
    }
    mb_map_recover(&ground.map, ground.units);
    for (unsigned round = 0; round < 300; round++) take_some(&ground, (enum mb_map_plane)below(MB_MAP_PLANES));
    end(&ground);
}

// Six levels are exact. A seventh, of a map of 4 KiB pages, knows no numbers from 2^21 on.
static void a_seventh_level(void **state) {
    (void)state;
    static const size_t units = ((size_t)1 << 24) + 4096;
    struct ground ground;
    struct mb_map_query few = {100, 1, 0}, many = {(size_t)1 << 20, 1, 0};
    begin(&ground, units);
    assert_int_equal(mb_map_top_level(&ground.map), 7);
    mb_map_release(&ground.map, units - 99, 99);
    assert_int_equal(mb_map_find(&ground.map, MB_MAP_FREE, &few), MB_NO_UNIT);
    mb_map_release(&ground.map, units - 100, 1);
    assert_int_equal(mb_map_find(&ground.map, MB_MAP_FREE, &few), units - 100);
    mb_map_release(&ground.map, 5, units - 105);
    size_t found = mb_map_find(&ground.map, MB_MAP_FREE, &many);
    assert_true(found >= 5 && found != MB_NO_UNIT && mb_map_claim(&ground.map, found, many.units));
    assert_int_equal(mb_map_find(&ground.map, MB_MAP_FREE, &few) + few.units <= units, true);
    end(&ground);
}

// --- how many words --------------------------------------------------------------------------------------------------

static void give_plainly(const struct ground *ground, size_t first, size_t units) { mb_map_release(&ground->map, first, units); }

enum { FAR = 4096 }; // units at the far end that no pattern has

// Every unit is in use.
static void all_used(const struct ground *ground) { (void)ground; }

static void every_second_free(const struct ground *ground) {
    for (size_t unit = 0; unit < ground->units - FAR; unit += 2) give_plainly(ground, unit, 1);
}

static void runs_of_31(const struct ground *ground) {
    for (size_t unit = 1; unit + 32 < ground->units - FAR; unit += 32) give_plainly(ground, unit, 31);
}

static void runs_of_63_across_words(const struct ground *ground) {
    for (size_t unit = 32; unit + 64 < ground->units - FAR; unit += 64) give_plainly(ground, unit, 63);
}

static void every_second_word(const struct ground *ground) {
    for (size_t unit = 64; unit + 64 < ground->units - FAR; unit += 128) give_plainly(ground, unit, 64);
}

static void all_free(const struct ground *ground) { give_plainly(ground, 0, ground->units - FAR); }

static uint64_t words_for(const struct ground *ground, size_t units, size_t align) {
    struct mb_map_query query = {units, align, 0};
    words_looked_at = 0;
    if (mb_map_find(&ground->map, MB_MAP_WARM, &query) != MB_NO_UNIT) fail();
    size_t first = mb_map_find(&ground->map, MB_MAP_FREE, &query);
    assert_true(first != MB_NO_UNIT && first % align == 0);
    assert_true(mb_map_claim(&ground->map, first, units));
    mb_map_release(&ground->map, first, units);
    return words_looked_at;
}

static uint64_t most_words(const struct ground *ground, size_t align) {
    static const size_t lengths[] = {1, 2, 16, 17, 32, 63, 64, 65, 129, 513, 1025};
    uint64_t most = 0;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint64_t spent = words_for(ground, lengths[i], align), for_itself = (lengths[i] + 63) / 64 * WORDS_PER_WORD;
        if (spent > for_itself && spent - for_itself > most) most = spent - for_itself;
    }
    return most;
}

static void words_do_not_grow(void **state) {
    (void)state;
    static const struct {
        const char *name;
        void (*make)(const struct ground *ground);
    } patterns[] = {{"all used", all_used},
                    {"every second unit free", every_second_free},
                    {"runs of 31", runs_of_31},
                    {"runs of 63", runs_of_63_across_words},
                    {"every second word free", every_second_word},
                    {"all free", all_free}};
    static const size_t in_use[] = {1024, 2097152, 16777216 - 2 * FAR}; // 64 MiB, 128 GiB, nearly 1 TiB
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        uint64_t first = 0;
        for (size_t n = 0; n < sizeof in_use / sizeof in_use[0]; n++) {
            struct ground ground;
            begin(&ground, in_use[n] + FAR);
            patterns[i].make(&ground);
            give_plainly(&ground, ground.units - FAR + 1, FAR - 2);
            uint64_t most = most_words(&ground, 1), aligned = mb_max(most_words(&ground, 32), most_words(&ground, 256));
            printf("%s, %zu units: %llu words a span, %llu aligned\n", patterns[i].name, in_use[n], (unsigned long long)most,
                   (unsigned long long)aligned);
            assert_in_range(most, 1, WORDS_MAX);
            assert_in_range(aligned, 1, ALIGNED_WORDS_MAX);
            if (n == 0) first = most;
            assert_in_range(most, 1, first + LEVEL_WORDS_MAX * (ground.top.raised > 1 ? ground.top.raised - 1 : 0));
            end(&ground);
        }
    }
}

// Misaligned runs that are long enough lie before those that fit: a few searches pass over them for good.
static void aligned_runs_are_found_at_last(void **state) {
    (void)state;
    struct ground ground;
    begin(&ground, 8192);
    for (size_t unit = 1; unit < 4096; unit += 64) give_plainly(&ground, unit, 33); // none begins where 32 would fit
    for (size_t unit = 4096; unit < 4096 + 64 * 8; unit += 64) give_plainly(&ground, unit, 32);
    struct mb_map_query query = {32, 32, 0};
    unsigned found = 0, searches = 0;
    for (; found < 8 && searches < 64; searches++) {
        size_t first = mb_map_find(&ground.map, MB_MAP_FREE, &query);
        if (first == MB_NO_UNIT) continue;
        assert_true(mb_map_claim(&ground.map, first, 32));
        found++;
    }
    assert_int_equal(found, 8);
    end(&ground);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_look_at_every_unit_finds),
        cmocka_unit_test(a_child_makes_the_tree_anew),
        cmocka_unit_test(a_seventh_level),
        cmocka_unit_test(words_do_not_grow),
        cmocka_unit_test(aligned_runs_are_found_at_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
