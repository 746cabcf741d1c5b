// The edge cases that every member of the region family handles in the same way (one table of members), also over a
// system that refuses each call in turn.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/members.h"
#include "tests/unit/memory.h"
#include "tests/unit/refusing_os.h"

enum { BLOCK = 48, MANY = 200000 };

static bool can(const struct mb_allocator *a, uint32_t traits) { return mb_allocator_can(a, traits); }

// Calls `test` with each member, made and dropped around it.
static void with_all(void (*test)(const struct member *, struct mb_allocator *)) {
    for (size_t i = 0; i < member_count; i++) {
        print_message("    %s\n", members[i].name);
        os_allow_all();
        assert_int_equal(members[i].make(MB_POLICY_COUNT), MB_OK);
        test(&members[i], members[i].allocator());
        os_allow_all();
        members[i].unmake();
    }
}

static void assert_refused(struct mb_allocator *a, size_t bytes, size_t align, enum mb_error why) {
    assert_null(mb_allocator_allocate(a, bytes, align));
    assert_int_equal(mb_allocator_last_error(a), why);
    assert_null(mb_allocator_allocate_zeroed(a, bytes, align));
    assert_int_equal(mb_allocator_last_error(a), why);
}

static void assert_works(struct mb_allocator *a) {
    char *p = mb_allocator_allocate(a, BLOCK, 16);
    assert_non_null(p);
    memset(p, 0x5a, BLOCK);
    assert_int_equal(mb_allocator_deallocate(a, p, BLOCK), MB_OK);
}

// --- impossible requests ---------------------------------------------------------------------------------------------

static void impossible(const struct member *member, struct mb_allocator *a) {
    assert_refused(a, 0, 16, MB_BAD_SIZE);
    assert_refused(a, SIZE_MAX, 16, MB_BAD_SIZE);
    assert_refused(a, (size_t)PTRDIFF_MAX + 1, 1, MB_BAD_SIZE);
    const size_t aligns[] = {0, 3, 48, SIZE_MAX, SIZE_MAX - 1};
    for (size_t i = 0; i < sizeof aligns / sizeof aligns[0]; i++) assert_refused(a, BLOCK, aligns[i], MB_BAD_ALIGN);
    assert_null(mb_allocator_allocate(a, PTRDIFF_MAX, 1));
    assert_int_not_equal(mb_allocator_last_error(a), MB_OK);
    assert_null(mb_allocator_allocate(a, BLOCK, (size_t)1 << 62));
    assert_int_not_equal(mb_allocator_last_error(a), MB_OK);
    if (member->most_bytes < PTRDIFF_MAX) assert_refused(a, member->most_bytes + 1, 1, MB_BAD_SIZE);
    assert_works(a);
    char *p = mb_allocator_allocate(a, BLOCK, 16);
    assert_null(mb_allocator_grow(a, p, BLOCK, BLOCK - 1, 16));
    assert_null(mb_allocator_grow(a, p, BLOCK, SIZE_MAX, 16));
    assert_null(mb_allocator_grow(a, p, BLOCK, BLOCK, 24));
    assert_null(mb_allocator_shrink(a, p, BLOCK, 0, 16));
    assert_null(mb_allocator_shrink(a, p, BLOCK, BLOCK + 1, 16));
    assert_int_equal(mb_allocator_deallocate(a, p, BLOCK), MB_OK);
    assert_int_equal(mb_allocator_corruption_events(a), 0);
}
static void impossible_requests_are_told(void **state) {
    (void)state;
    with_all(impossible);
}

// --- exhausted -------------------------------------------------------------------------------------------------------

static size_t fill(struct mb_allocator *a, char **blocks) {
    size_t count = 0;
    while (count < MANY && (blocks[count] = mb_allocator_allocate(a, BLOCK, 16)) != NULL) {
        memset(blocks[count], (int)(count & 0x7f), BLOCK);
        count++;
    }
    for (size_t i = 0; i < count; i++) assert_int_equal(blocks[i][BLOCK - 1], (char)(i & 0x7f)); // they do not overlap
    return count;
}

static void exhausted(const struct member *member, struct mb_allocator *a) {
    (void)member;
    if (mb_allocator_capacity(a) == SIZE_MAX) return;
    char **blocks = malloc(MANY * sizeof *blocks);
    size_t count = fill(a, blocks);
    assert_true(count > 30000 && count < MANY);
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    assert_refused(a, BLOCK, 16, MB_FULL);
    if (can(a, MB_TRAIT_FREES)) {
        assert_int_equal(mb_allocator_deallocate(a, blocks[count - 1], BLOCK), MB_OK);
        assert_ptr_equal(mb_allocator_allocate(a, BLOCK, 16), blocks[count - 1]);
        assert_refused(a, BLOCK, 16, MB_FULL);
        for (size_t i = count; i > 0; i--) assert_int_equal(mb_allocator_deallocate(a, blocks[i - 1], BLOCK), MB_OK);
        assert_int_equal(fill(a, blocks), count);
    }
    if (can(a, MB_TRAIT_RESETS)) {
        assert_int_equal(mb_allocator_reset(a), MB_OK);
        assert_int_equal(fill(a, blocks), count);
    } else {
        assert_int_equal(mb_allocator_reset(a), MB_UNSUPPORTED);
    }
    free(blocks);
}
static void exhaustion_is_told_and_passes(void **state) {
    (void)state;
    with_all(exhausted);
}

// --- refused ---------------------------------------------------------------------------------------------------------

// Some blocks of different sizes; true when the system has refused on the way. What is refused changes nothing: the
// same request succeeds when the system agrees again, and all earlier blocks are as they were.
static bool work_under_refusal(const struct member *member, struct mb_allocator *a) {
    enum { STEPS = 300 };
    char *blocks[STEPS];
    bool was_refused = false;
    for (size_t i = 0; i < STEPS; i++) {
        size_t bytes = mb_min(member->most_bytes, 1 + i * 37 % 9000);
        blocks[i] = mb_allocator_allocate(a, bytes, 16);
        if (blocks[i] == NULL) {
            assert_int_equal(mb_allocator_last_error(a), MB_REFUSED);
            assert_null(mb_allocator_allocate_zeroed(a, bytes, 16));
            was_refused = true;
            os_allow_all();
            blocks[i] = mb_allocator_allocate(a, bytes, 16);
            assert_non_null(blocks[i]);
        }
        memset(blocks[i], (int)(i & 0x7f), bytes);
    }
    for (size_t i = 0; i < STEPS; i++) {
        size_t bytes = mb_min(member->most_bytes, 1 + i * 37 % 9000);
        assert_all_bytes(blocks[i], bytes, (char)(i & 0x7f));
    }
    for (size_t i = STEPS; i > 0; i--) assert_int_equal(mb_allocator_deallocate(a, blocks[i - 1], 1), MB_OK);
    return was_refused;
}

static void refusals_change_nothing(void **state) {
    (void)state;
    for (size_t m = 0; m < member_count; m++) {
        print_message("    %s\n", members[m].name);
        bool refused_at_all = false;
        for (unsigned skip = 0; skip < 200; skip++) {
            os_refuse(1u << OS_COMMIT | 1u << OS_RESERVE, skip, UINT_MAX);
            if (members[m].make(MB_POLICY_COUNT) != MB_OK) continue; // nothing is held: the tests of regions count mappings
            bool refused = work_under_refusal(&members[m], members[m].allocator());
            os_allow_all();
            members[m].unmake();
            refused_at_all |= refused;
            if (!refused) break;
        }
        assert_true(refused_at_all || strcmp(members[m].name, "system") == 0);
    }
    os_allow_all();
}

// --- misuse ----------------------------------------------------------------------------------------------------------

static void foreign(const struct member *member, struct mb_allocator *a) {
    (void)member;
    if (!can(a, MB_TRAIT_OWNS)) return;
    static _Alignas(64) char elsewhere[256];
    char *p = mb_allocator_allocate(a, BLOCK, 16);
    assert_true(mb_allocator_owns(a, p));
    const void *pointers[] = {elsewhere, &pointers, (void *)(uintptr_t)16, (void *)UINTPTR_MAX, p - ((size_t)1 << 40)};
    for (size_t i = 0; i < sizeof pointers / sizeof pointers[0]; i++) {
        void *bad = (void *)(uintptr_t)pointers[i];
        assert_false(mb_allocator_owns(a, bad));
        assert_int_equal(mb_allocator_deallocate(a, bad, BLOCK), MB_BAD_POINTER);
        assert_int_equal(mb_allocator_last_error(a), MB_BAD_POINTER);
        assert_int_equal(mb_allocator_usable_size(a, bad), 0);
        assert_null(mb_allocator_grow(a, bad, BLOCK, BLOCK + 1, 16));
        assert_null(mb_allocator_shrink(a, bad, BLOCK, BLOCK - 1, 16));
        assert_int_equal(mb_allocator_corruption_events(a), 3 * (i + 1));
        assert_null(mb_allocator_allocate(a, 0, 1)); // the next failure is told, not this one
    }
    assert_int_equal(mb_allocator_deallocate(a, NULL, BLOCK), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, p, BLOCK), MB_OK);
    assert_works(a);
}
static void foreign_pointers_are_detected(void **state) {
    (void)state;
    with_all(foreign);
}

static void misaligned(const struct member *member, struct mb_allocator *a) {
    (void)member;
    if (!can(a, MB_TRAIT_OWNS | MB_TRAIT_FREES)) return;
    char *p = mb_allocator_allocate(a, BLOCK, 16);
    for (size_t off = 1; off < BLOCK; off++) {
        assert_int_equal(mb_allocator_deallocate(a, p + off, 1), MB_BAD_POINTER);
        assert_int_equal(mb_allocator_usable_size(a, p + off), 0);
    }
    assert_int_equal(mb_allocator_corruption_events(a), BLOCK - 1);
    assert_int_equal(mb_allocator_deallocate(a, p, (size_t)1 << 30), MB_BAD_SIZE);
    assert_int_equal(mb_allocator_deallocate(a, p, BLOCK), MB_OK);
}
static void pointers_into_blocks_are_detected(void **state) {
    (void)state;
    with_all(misaligned);
}

static void freed_twice(const struct member *member, struct mb_allocator *a) {
    (void)member;
    if (!can(a, MB_TRAIT_OWNS | MB_TRAIT_FREES)) return;
    char *first = mb_allocator_allocate(a, BLOCK, 16), *p = mb_allocator_allocate(a, BLOCK, 16);
    char *other = mb_allocator_allocate(a, BLOCK, 16);
    mb_allocator_deallocate(a, other, BLOCK);
    assert_int_equal(mb_allocator_deallocate(a, p, BLOCK), MB_OK);
    assert_int_equal(mb_allocator_usable_size(a, p), 0);
    assert_int_equal(mb_allocator_deallocate(a, p, BLOCK), MB_DOUBLE_FREE); // the newest free,
    assert_int_equal(mb_allocator_deallocate(a, other, BLOCK), MB_DOUBLE_FREE); // and an older one
    assert_int_equal(mb_allocator_corruption_events(a), 2);
    char *again[3] = {0};
    for (int i = 0; i < 3; i++) again[i] = mb_allocator_allocate(a, BLOCK, 16);
    assert_true(again[0] != again[1] && again[1] != again[2] && again[0] != again[2]);
    for (int i = 0; i < 3; i++) assert_ptr_not_equal(again[i], first);
    for (int i = 3; i > 0; i--) assert_int_equal(mb_allocator_deallocate(a, again[i - 1], BLOCK), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, first, BLOCK), MB_OK);
}
static void second_frees_are_detected(void **state) {
    (void)state;
    with_all(freed_twice);
}

// --- what is promised ------------------------------------------------------------------------------------------------

static void resized(const struct member *member, struct mb_allocator *a) {
    size_t most = mb_min(member->most_bytes, 100000);
    char *p = mb_allocator_allocate(a, 1, 16);
    p[0] = 1;
    for (size_t bytes = 1; bytes < most; bytes = mb_min(most, bytes * 3 + 5)) {
        size_t next = mb_min(most, bytes * 3 + 5);
        p = mb_allocator_grow(a, p, bytes, next, 16);
        assert_non_null(p);
        assert_all_bytes(p, bytes, 1);
        memset(p, 1, next);
    }
    char *half = mb_allocator_shrink(a, p, most, most / 2, 16);
    assert_non_null(half);
    assert_all_bytes(half, most / 2, 1);
    char *least = mb_allocator_shrink(a, half, most / 2, 1, 16);
    assert_non_null(least);
    assert_int_equal(least[0], 1);
    if (can(a, MB_TRAIT_SIZES)) assert_true(mb_allocator_usable_size(a, least) >= 1);
    assert_int_equal(mb_allocator_deallocate(a, least, 1), MB_OK);
    assert_int_equal(mb_allocator_corruption_events(a), 0);
}
static void blocks_grow_and_shrink(void **state) {
    (void)state;
    with_all(resized);
}

static void zeroed(const struct member *member, struct mb_allocator *a) {
    const size_t sizes[] = {1, 16, 64, 65, 4096, 40000, 200000};
    for (int round = 0; round < 3; round++) {
        char *blocks[sizeof sizes / sizeof sizes[0]];
        size_t count = 0;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && sizes[i] <= member->most_bytes; i++, count++) {
            blocks[i] = mb_allocator_allocate_zeroed(a, sizes[i], 64);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % 64, 0);
            for (size_t k = 0; k < sizes[i]; k++) assert_true(blocks[i][k] == 0);
            memset(blocks[i], 0xff, sizes[i]);
        }
        if (round == 1 && can(a, MB_TRAIT_RESETS)) {
            assert_int_equal(mb_allocator_reset(a), MB_OK);
            continue;
        }
        while (count > 0) {
            count--;
            assert_int_equal(mb_allocator_deallocate(a, blocks[count], sizes[count]), MB_OK);
        }
    }
}
static void zeroed_blocks_are_zero(void **state) {
    (void)state;
    with_all(zeroed);
}

static void alignments(const struct member *member, struct mb_allocator *a) {
    size_t most = member->most_bytes < PTRDIFF_MAX ? 64 : (size_t)1 << 20;
    for (size_t align = 1; align <= most; align *= 2) {
        char *p = mb_allocator_allocate(a, 1 + align / 3, align);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
        memset(p, 7, 1 + align / 3);
        assert_int_equal(mb_allocator_deallocate(a, p, 1), MB_OK);
    }
}
static void every_alignment_is_kept(void **state) {
    (void)state;
    with_all(alignments);
}

static void live(const struct member *member, struct mb_allocator *a) {
    (void)member;
    for (int i = 0; i < 1000; i++) assert_non_null(mb_allocator_allocate(a, BLOCK, 16)); // with_all drops them
}
static void dropping_live_blocks_is_allowed(void **state) {
    (void)state;
    with_all(live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_requests_are_told),    cmocka_unit_test(exhaustion_is_told_and_passes),
        cmocka_unit_test(refusals_change_nothing),         cmocka_unit_test(foreign_pointers_are_detected),
        cmocka_unit_test(pointers_into_blocks_are_detected), cmocka_unit_test(second_frees_are_detected),
        cmocka_unit_test(blocks_grow_and_shrink),          cmocka_unit_test(zeroed_blocks_are_zero),
        cmocka_unit_test(every_alignment_is_kept),         cmocka_unit_test(dropping_live_blocks_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
