// The region over an operating system that refuses: every call in turn, and every commit of a long run. A refusal
// changes nothing but the last error, and the same request succeeds once memory is there again.
#include <errno.h>
#include <string.h>

#include "core/region/region.h"
#include "platform/file_linux.h"
#include "tests/unit/memory.h"
#include "tests/unit/refusing_os.h"

static size_t page;
static const size_t RUN_BYTES = (size_t)32 << 20;

static int begin(void **state) {
    (void)state;
    page = mb_os_page_size();
    return 0;
}

static enum mb_error try_with(struct mb_region *region, size_t bytes, uint32_t prefer, uint32_t require) {
    static const uint64_t nodes[2] = {UINT64_C(1) << 3, UINT64_C(1) << 6};
    struct mb_region_config config = MB_REGION_CONFIG(bytes);
    config.prefer = prefer;
    config.require = require;
    config.nodes = nodes;
    config.node_words = 2;
    return mb_region_new_with(region, &config);
}

static uint64_t mapped_pages(void) {
    uint64_t pages = 0;
    assert_true(mb_file_numbers("/proc/self/statm", &pages, 1));
    return pages;
}

// --- a long run -----------------------------------------------------------------------------------------------------

enum { STEPS = 400 };

// One step: a block of some size and alignment; every fifth step grows the block before instead.
struct run {
    struct mb_region region;
    unsigned char *last;
    size_t last_bytes;
};

static size_t size_of_step(unsigned i) { return 1 + (size_t)i * 7919 % 150000; }

static unsigned char *step(struct run *run, unsigned i) {
    size_t bytes = size_of_step(i), align = (size_t)1 << i % 14;
    if (i % 5 == 4) return mb_region_grow(&run->region, run->last, run->last_bytes, run->last_bytes + bytes, 1);
    if (i % 3 == 0) return mb_region_allocate_zeroed(&run->region, bytes, align);
    return mb_region_allocate(&run->region, bytes, align);
}

static void note_step(struct run *run, unsigned i, unsigned char *p) {
    run->last_bytes = i % 5 == 4 ? run->last_bytes + size_of_step(i) : size_of_step(i);
    run->last = p;
    memset(p, (int)(i % 251), run->last_bytes);
}

// A refused step leaves every number and the block before as they were.
static void assert_refusal_changed_nothing(const struct run *before, const struct run *now, unsigned i) {
    assert_int_equal(mb_region_last_error(&now->region), MB_REFUSED);
    assert_int_equal(mb_region_os_error(&now->region), -ENOMEM);
    assert_memory_equal(&before->region.bump, &now->region.bump, sizeof(struct mb_bump));
    assert_int_equal(mb_region_committed(&before->region), mb_region_committed(&now->region));
    assert_int_equal(before->region.dirty, now->region.dirty);
    assert_int_equal(before->region.honoured, now->region.honoured);
    assert_true(mb_region_check(&now->region));
    for (size_t k = 0; k < now->last_bytes; k += 997) assert_int_equal(now->last[k], (i - 1) % 251);
}

// Runs all steps while the commits after the first `skip` are refused, twice each (a step tries a large chunk and then
// the least). Returns how many steps failed at first.
static unsigned run_steps(unsigned kinds, unsigned skip, uint32_t flags, size_t offsets[STEPS]) {
    struct run run = {.last = NULL};
    unsigned failed = 0;
    os_allow_all();
    assert_int_equal(try_with(&run.region, RUN_BYTES, 0, MB_REGION_LAZY | flags), MB_OK);
    os_refuse(kinds, skip, 2);
    for (unsigned i = 0; i < STEPS; i++) {
        struct run before = run;
        unsigned char *p = step(&run, i);
        if (p == NULL) {
            if ((flags & MB_REGION_POPULATE) == 0) assert_refusal_changed_nothing(&before, &run, i);
            assert_int_equal(mb_region_allocated(&before.region), mb_region_allocated(&run.region));
            failed++;
            os.count = 0;
            p = step(&run, i);
        }
        assert_non_null(p);
        note_step(&run, i, p);
        size_t offset = (uintptr_t)p - (uintptr_t)mb_region_base(&run.region);
        if (skip == UINT32_MAX) offsets[i] = offset;
        assert_int_equal(offset, offsets[i]); // the same places as without refusals
    }
    os.count = 0;
    assert_int_equal(mb_region_drop(&run.region), MB_OK);
    return failed;
}

static void every_refused_commit_leaves_the_region_as_it_was(void **state) {
    (void)state;
    static size_t offsets[STEPS];
    assert_int_equal(run_steps(1u << OS_COMMIT, UINT32_MAX, 0, offsets), 0);
    unsigned commits = os.made[OS_COMMIT];
    assert_true(commits > 20);
    for (unsigned skip = 0; skip < commits; skip++)
        assert_int_equal(run_steps(1u << OS_COMMIT, skip, 0, offsets), 1);
}

static void every_refused_populate_leaves_the_cursor(void **state) {
    (void)state;
    static size_t offsets[STEPS];
    assert_int_equal(run_steps(1u << OS_POPULATE, UINT32_MAX, MB_REGION_POPULATE, offsets), 0);
    unsigned populates = os.made[OS_POPULATE];
    assert_true(populates > 20);
    assert_int_equal(populates, os.made[OS_COMMIT]); // each chunk once
    for (unsigned skip = 0; skip < populates; skip += 3)
        assert_int_equal(run_steps(1u << OS_POPULATE, skip, MB_REGION_POPULATE, offsets), 1);
}

static void preferred_populate_is_dropped_and_said(void **state) {
    (void)state;
    struct mb_region region;
    os_refuse(1u << OS_POPULATE, 1, 1);
    assert_int_equal(try_with(&region, RUN_BYTES, MB_REGION_POPULATE, MB_REGION_LAZY), MB_OK);
    assert_non_null(mb_region_allocate(&region, 1, 1));
    assert_int_equal(mb_region_honoured(&region), MB_REGION_LAZY | MB_REGION_POPULATE);
    assert_non_null(mb_region_allocate(&region, 1 << 20, 1));
    assert_int_equal(mb_region_honoured(&region), MB_REGION_LAZY);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
    os_allow_all();
    assert_non_null(mb_region_allocate(&region, 1 << 20, 1));
    assert_int_equal(os.made[OS_POPULATE], 0);
    assert_int_equal(mb_region_drop(&region), MB_OK);
}

static void commits_come_in_rising_chunks(void **state) {
    (void)state;
    struct mb_region region;
    os_allow_all();
    assert_int_equal(mb_region_new_lazy(&region, (size_t)1 << 30), MB_OK);
    assert_non_null(mb_region_allocate(&region, 1, 1));
    assert_int_equal(mb_region_committed(&region), 64 << 10);
    size_t largest = 0, before = mb_region_committed(&region);
    for (char *p; (p = mb_region_allocate(&region, 4096, 1)) != NULL;) {
        if ((uintptr_t)p % (64 << 10) == 0) *p = 1; // a page of each 64 KiB is enough to see that it may be touched
        largest = mb_max(largest, mb_region_committed(&region) - before);
        before = mb_region_committed(&region);
    }
    assert_int_equal(mb_region_last_error(&region), MB_FULL);
    assert_int_equal(largest, 8 << 20);
    assert_true(os.made[OS_COMMIT] <= 200);
    assert_int_equal(mb_region_drop(&region), MB_OK);
}

// --- mapping --------------------------------------------------------------------------------------------------------

// Each system call of the creation is refused in turn: it fails, or continues without the option and reports that.
// Nothing stays mapped.
static void sweep_start(uint32_t prefer, uint32_t require) {
    for (unsigned skip = 0;; skip++) {
        struct mb_region region;
        uint64_t before = mapped_pages();
        os_refuse(~0u & ~(1u << OS_UNMAP), skip, 1); // a refused unmap leaves what it should have taken: below
        enum mb_error error = try_with(&region, 3 * page, prefer, require);
        unsigned refused = os.refused;
        os_allow_all();
        if (error != MB_OK) {
            assert_true(error == MB_REFUSED || error == MB_UNSUPPORTED);
            assert_true(mb_region_os_error(&region) < 0);
            assert_int_equal(mb_region_last_error(&region), error);
        } else {
            assert_int_equal(mb_region_honoured(&region) & require, require);
            if (refused > 0) assert_true(mb_region_honoured(&region) != (prefer | require));
            memset(mb_region_allocate(&region, 3 * page, 1), 1, 3 * page);
            assert_int_equal(mb_region_drop(&region), MB_OK);
        }
        assert_int_equal(mapped_pages(), before);
        if (refused == 0) break;
    }
}

static void every_refused_call_of_a_start_is_survived(void **state) {
    (void)state;
    for (uint32_t flags = 0; flags <= MB_REGION_FLAGS; flags++) {
        sweep_start(flags, 0);
        sweep_start(flags & ~(uint32_t)MB_REGION_HUGETLB, 0);
        if (mb_region_supported(flags) == flags) sweep_start(0, flags);
    }
}

static void refused_drop_keeps_the_region(void **state) {
    (void)state;
    struct mb_region region;
    os_allow_all();
    assert_int_equal(mb_region_new(&region, page), MB_OK);
    char *p = mb_region_allocate(&region, page, 1);
    memset(p, 'd', page);
    os_refuse(1u << OS_UNMAP, 0, 1);
    assert_int_equal(mb_region_drop(&region), MB_REFUSED);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
    assert_int_equal(mb_region_allocated(&region), page);
    assert_all_bytes(p, page, 'd');
    assert_int_equal(mb_region_drop(&region), MB_OK);
}

static void several_nodes_reach_the_system(void **state) {
    (void)state;
    struct mb_region region;
    os_allow_all();
    assert_int_equal(try_with(&region, page, 0, MB_REGION_NUMA), MB_OK);
    assert_true(os.nodes[0] == UINT64_C(1) << 3 && os.nodes[1] == UINT64_C(1) << 6);
    assert_int_equal(mb_region_drop(&region), MB_OK);
    os_refuse(1u << OS_BIND_NODES, 0, 1);
    assert_int_equal(try_with(&region, page, 0, MB_REGION_NUMA), MB_UNSUPPORTED);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
}

// --- pages ----------------------------------------------------------------------------------------------------------

static void refused_purge_and_protect_change_nothing(void **state) {
    (void)state;
    struct mb_region region;
    os_allow_all();
    assert_int_equal(mb_region_new(&region, 4 * page), MB_OK);
    char *p = mb_region_allocate(&region, 4 * page, page);
    memset(p, 'c', 4 * page);
    os_refuse(1u << OS_PURGE | 1u << OS_PROTECT, 0, 2);
    assert_int_equal(mb_region_protect(&region, p, page, MB_OS_NONE), MB_REFUSED);
    mb_region_reset(&region);
    assert_int_equal(mb_region_release_pages(&region, p, 4 * page), MB_REFUSED);
    assert_int_equal(mb_region_os_error(&region), -ENOMEM);
    assert_all_bytes(p, 4 * page, 'c');
    assert_ptr_equal(mb_region_allocate_zeroed(&region, 4 * page, 1), p); // still known to be dirty
    assert_all_bytes(p, 4 * page, 0);
    assert_int_equal(mb_region_drop(&region), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refused_commit_leaves_the_region_as_it_was),
        cmocka_unit_test(every_refused_populate_leaves_the_cursor),
        cmocka_unit_test(preferred_populate_is_dropped_and_said),
        cmocka_unit_test(commits_come_in_rising_chunks),
        cmocka_unit_test(every_refused_call_of_a_start_is_survived),
        cmocka_unit_test(refused_drop_keeps_the_region),
        cmocka_unit_test(several_nodes_reach_the_system),
        cmocka_unit_test(refused_purge_and_protect_change_nothing),
    };
    return cmocka_run_group_tests_name("region: refusals", tests, begin, NULL);
}
