// The parts of resident_bytes add up to what the kernel counts for the allocator's ranges (smaps), within 1 %, in heaps
// of many shapes; and the counters match what was done.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/front/malloc.h"
#include "core/insight/count.h"
#include "core/insight/residency.h"
#include "core/insight/write.h"
#include "core/large/outside.h"
#include "core/region/arena.h"
#include "platform/os.h"

enum { SLOTS = 20000 };
static void *slot[SLOTS];
static size_t slot_bytes[SLOTS];

static uint64_t state = 1;
static uint64_t random_word(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

// --- what the kernel says --------------------------------------------------------------------------------------------

struct range {
    uintptr_t begin, end;
};

static size_t overlap(struct range a, struct range b) {
    uintptr_t begin = a.begin > b.begin ? a.begin : b.begin, end = a.end < b.end ? a.end : b.end;
    return end > begin ? end - begin : 0;
}

// Resident bytes of all mappings that lie in the ranges. A mapping that only partly does fails the test: then nothing
// can be said.
static size_t rss_of(const struct range *ranges, size_t count) {
    FILE *smaps = fopen("/proc/self/smaps", "r");
    assert_non_null(smaps);
    char line[4096];
    bool inside = false;
    size_t total = 0, kib;
    while (fgets(line, sizeof line, smaps) != NULL) {
        struct range mapping;
        if (sscanf(line, "%lx-%lx ", &mapping.begin, &mapping.end) == 2) {
            size_t shared = 0;
            for (size_t i = 0; i < count; i++) shared += overlap(mapping, ranges[i]);
            assert_true(shared == 0 || shared == mapping.end - mapping.begin);
            inside = shared != 0;
        } else if (inside && sscanf(line, "Rss: %zu kB", &kib) == 1) {
            total += kib << 10;
        }
    }
    fclose(smaps);
    return total;
}

static struct range ranges[64];
static size_t range_count;

static void add_range(void *context, uintptr_t block, size_t bytes) {
    (void)context;
    ranges[range_count++] = (struct range){block, block + bytes};
}

static size_t kernel_says(void) {
    struct mb_arena_range arena[MB_ARENA_RANGES];
    mb_arena_ranges(arena);
    range_count = 0;
    for (unsigned i = 0; i < MB_ARENA_RANGES; i++) add_range(NULL, arena[i].base, arena[i].mapped);
    mb_outside_visit(add_range, NULL);
    return rss_of(ranges, range_count);
}

static struct mb_count check(void) {
    struct mb_count count;
    mb_count(&count);
    size_t kernel = kernel_says();
    const struct mb_statistics *all = &count.all;
    size_t apart = all->resident_bytes > kernel ? all->resident_bytes - kernel : kernel - all->resident_bytes;
    if (apart * 100 > kernel + 100) fail_msg("counted %zu, the kernel has %zu", (size_t)all->resident_bytes, kernel);
    assert_int_equal(all->residency_measured, 1);
    assert_int_equal(all->frees, all->allocations - all->live_blocks);
    assert_true(all->live_resident_bytes <= all->live_bytes);
    return count;
}

// --- shapes ----------------------------------------------------------------------------------------------------------

static void fill(size_t i, size_t bytes, bool touch) {
    slot[i] = mb_malloc(bytes);
    slot_bytes[i] = bytes;
    assert_non_null(slot[i]);
    if (touch) memset(slot[i], 1, bytes);
}

static void empty(size_t i) {
    mb_free(slot[i]);
    slot[i] = NULL;
}

static void empty_all(void) {
    for (size_t i = 0; i < SLOTS; i++) empty(i);
}

static void an_empty_heap(void **unused) {
    (void)unused;
    mb_free(mb_malloc(1));
    check();
}

static void small_blocks_of_all_sizes(void **unused) {
    (void)unused;
    for (size_t i = 0; i < SLOTS; i++) fill(i, 1 + random_word() % 3000, true);
    struct mb_count full = check();
    assert_true(full.all.live_blocks >= SLOTS);
    for (size_t i = 0; i < SLOTS; i++) {
        if (random_word() % 4 != 0) empty(i);
    }
    struct mb_count sparse = check();
    assert_true(sparse.all.part_free_bytes > full.all.part_free_bytes);
    mb_trim(0);
    check();
    empty_all();
    check();
}

static void blocks_that_nobody_touches(void **unused) {
    (void)unused;
    size_t most = 30000 * (mb_os_page_size() / 4096);
    for (size_t i = 0; i < 1000; i++) fill(i, 1 + random_word() % most, i % 3 == 0);
    struct mb_count count = check();
    assert_true(count.all.live_resident_bytes < count.all.live_bytes * 2 / 3);
    empty_all();
}

static void large_blocks_in_part(void **unused) {
    (void)unused;
    for (size_t i = 0; i < 40; i++) {
        fill(i, (random_word() % 5000 + 40) << 10, false);
        memset(slot[i], 1, random_word() % slot_bytes[i]);
    }
    struct mb_count count = check();
    assert_true(count.all.large_live_blocks >= 40);
    for (size_t i = 0; i < 40; i += 2) empty(i);
    check();
    for (size_t i = 1; i < 40; i += 4) {
        slot[i] = mb_realloc(slot[i], slot_bytes[i] * 3);
        memset(slot[i], 2, slot_bytes[i] * 2);
    }
    check();
    empty_all();
    check();
    mb_trim(0);
    check();
}

// As where transparent_hugepage says "always": a fault fills 2 MiB, in memory that nobody has used yet as well.
static void huge_pages_by_the_system(void **unused) {
    struct mb_arena_range arena[MB_ARENA_RANGES];
    mb_arena_ranges(arena);
    if (madvise((void *)arena[0].base, arena[0].mapped, MADV_HUGEPAGE) != 0) skip();
    large_blocks_in_part(unused);
    small_blocks_of_all_sizes(unused);
}

static void a_block_that_is_kept(void **unused) {
    (void)unused;
    for (int i = 0; i < 20; i++) {
        fill(0, 1 << 20, true);
        empty(0);
    }
    struct mb_count count = check();
    assert_true(count.all.kept_bytes + count.all.dirty_bytes >= 1 << 20);
}

static void *leave_blocks(void *first) {
    for (size_t i = 0; i < 500; i++) fill((size_t)(uintptr_t)first + i, 1 + (i * 37) % 2000, true);
    return NULL;
}

static void blocks_of_threads_that_are_gone(void **unused) {
    (void)unused;
    pthread_t threads[16];
    for (size_t i = 0; i < 16; i++) assert_int_equal(pthread_create(&threads[i], NULL, leave_blocks, (void *)(i * 500)), 0);
    for (size_t i = 0; i < 16; i++) pthread_join(threads[i], NULL);
    check();
    for (size_t i = 0; i < 8000; i += 3) empty(i);
    check();
    empty_all();
    check();
}

static void a_block_beyond_the_window(void **unused) {
    (void)unused;
    char *block = mb_malloc((size_t)1100 << 30);
    if (block == NULL) skip(); // the system promises no such length
    memset(block + ((size_t)1 << 30), 1, 3 << 20);
    struct mb_count count = check();
    assert_true(count.all.live_bytes > (size_t)1100 << 30);
    mb_free(block);
    check();
}

static void counters_count(void **unused) {
    (void)unused;
    struct mb_count before, after;
    mb_count(&before);
    for (size_t i = 0; i < 1000; i++) fill(i, 40, false);
    for (size_t i = 0; i < 7; i++) fill(1000 + i, 1 << 20, false);
    for (size_t i = 0; i < 300; i++) empty(i);
    mb_count(&after);
    assert_int_equal(after.all.allocations - before.all.allocations, 1007);
    assert_int_equal(after.all.large_allocations - before.all.large_allocations, 7);
    assert_int_equal(after.all.frees - before.all.frees, 300);
    assert_int_equal(after.of_class[2].live_blocks - before.of_class[2].live_blocks, 700);
    empty_all();
}

static void *free_all(void *unused) {
    empty_all();
    return unused;
}

// The commons, which lend a thread its first blocks of a size, count no frees by others.
enum { BORROWED = 8 };

static void frees_by_other_threads_count(void **unused) {
    (void)unused;
    struct mb_count before, after, own;
    pthread_t other;
    mb_count(&before);
    for (size_t i = 0; i < 10000; i++) fill(i, 40, false);
    for (size_t i = 0; i < 20; i++) fill(10000 + i, 1 << 20, false);
    assert_int_equal(pthread_create(&other, NULL, free_all, NULL), 0);
    pthread_join(other, NULL);
    mb_count(&after);
    assert_in_range(after.all.remote_frees - before.all.remote_frees, 10020 - BORROWED, 10020);
    for (size_t i = 0; i < 10000; i++) fill(i, 40, false); // the same blocks: taken back, and not counted again
    mb_count(&own);
    assert_int_equal(own.all.remote_frees, after.all.remote_frees);
    empty_all();
    mb_count(&own);
    assert_int_equal(own.all.remote_frees, after.all.remote_frees);
}

static void refills_count(void **unused) {
    (void)unused;
    struct mb_count before, after, again;
    mb_count(&before);
    for (size_t i = 0; i < 6400; i++) fill(i, 40, false);
    mb_count(&after);
    assert_in_range(after.all.refills - before.all.refills, 6400 / 64,
                    2 * 6400 / 64 + BORROWED); // at most 64 blocks each, and a page's worth
    for (size_t i = 0; i < 10; i++) empty(i), fill(i, 40, false);
    mb_count(&again);
    assert_in_range(again.all.refills - after.all.refills, 0, 10);
    empty_all();
}

// --- words -----------------------------------------------------------------------------------------------------------

static const char *in_words(void) {
    static struct mb_line line;
    struct mb_count count;
    mb_count(&count);
    line.length = 0;
    mb_count_in_words(&line, &count);
    line.text[line.length] = '\0';
    return line.text;
}

static void words_name_the_class(void **unused) {
    (void)unused;
    mb_trim(0);
    for (size_t i = 0; i < SLOTS; i++) fill(i, 512, true);
    assert_non_null(strstr(in_words(), "blocks of 512 bytes"));
    for (size_t i = 0; i < SLOTS; i++) {
        if (i % 8 != 0) empty(i);
    }
    assert_non_null(strstr(in_words(), "cannot be given back"));
    assert_non_null(strstr(in_words(), "of it is in slabs of blocks of 512 bytes"));
    empty_all();
}

static pthread_barrier_t barrier;

static void *hold_and_sleep(void *unused) {
    void *p[2000];
    for (size_t i = 0; i < 2000; i++) memset(p[i] = mb_malloc(700), 1, 700);
    for (size_t i = 0; i < 2000; i++) {
        if (i % 9 != 0) mb_free(p[i]);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < 2000; i += 9) mb_free(p[i]);
    return unused;
}

static void words_name_the_sleepers(void **unused) {
    (void)unused;
    mb_trim(0);
    pthread_t threads[5];
    pthread_barrier_init(&barrier, NULL, 6);
    for (size_t i = 0; i < 5; i++) assert_int_equal(pthread_create(&threads[i], NULL, hold_and_sleep, NULL), 0);
    pthread_barrier_wait(&barrier);
    usleep(1100000), in_words(); // what they have served is noted now
    usleep(1100000);
    const char *words = in_words();
    if (strstr(words, "5 threads sleep on ") == NULL) fail_msg("%s", words);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < 5; i++) pthread_join(threads[i], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap),
        cmocka_unit_test(small_blocks_of_all_sizes),
        cmocka_unit_test(blocks_that_nobody_touches),
        cmocka_unit_test(large_blocks_in_part),
        cmocka_unit_test(a_block_that_is_kept),
        cmocka_unit_test(blocks_of_threads_that_are_gone),
        cmocka_unit_test(a_block_beyond_the_window),
        cmocka_unit_test(counters_count),
        cmocka_unit_test(frees_by_other_threads_count),
        cmocka_unit_test(refills_count),
        cmocka_unit_test(words_name_the_class),
        cmocka_unit_test(words_name_the_sleepers),
        cmocka_unit_test(huge_pages_by_the_system), // and all that comes after it
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
