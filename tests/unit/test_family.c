// The layers together: their order, which combinations are refused, a table of edge cases that apply to all, and what
// happens if the system refuses a call at any step.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/family/family.h"
#include "core/harden/fault_os.h"
#include "core/harden/poison_fill.h"
#include "platform/os.h"
#include "tests/support/bases.h"
#include "tests/unit/kernel.h"
#include "tests/unit/memory.h"

static struct libc_base libc;
static struct list_base list;
static struct region_base region;

static unsigned watermark_events;
static void count_event(void *context, const struct mb_watermark_event *event) {
    (void)context;
    (void)event;
    watermark_events++;
}

static const struct mb_statistics_config statistics = MB_STATISTICS_CONFIG;
static const struct mb_watermark_config watermark = {sizeof watermark, count_event, NULL, 1000000, {75, 90, 0, 0}, 5};
static const struct mb_fault_config no_fault = MB_FAULT_CONFIG(MB_FAULT_NEVER, 0);
static const struct mb_guard_config guard_all = MB_GUARD_CONFIG, guard_some = {sizeof guard_some, 4};
static const struct mb_canary_config canary = MB_CANARY_CONFIG;
static const struct mb_quarantine_config quarantine = {sizeof quarantine, 400000};
static const struct mb_poison_config poison = {sizeof poison, 400000};
static const struct mb_colour_config colour = MB_COLOUR_CONFIG;
static const uint64_t node_0 = 1;

static struct mb_family_options options_made(void) {
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    options.policy = MB_POLICY_COUNT;
    return options;
}

static struct mb_family_options everything(void) {
    struct mb_family_options options = options_made();
    options.statistics = &statistics;
    options.watermark = &watermark;
    options.fault = &no_fault;
    options.guard = &guard_some;
    options.canary = &canary;
    options.quarantine = &quarantine;
    options.poison = &poison;
    return options;
}

static struct mb_family *composed(struct mb_family_options options, struct mb_allocator *base) {
    struct mb_family *family = NULL;
    assert_int_equal(mb_family_compose(&options, base, &family), MB_OK);
    assert_non_null(family);
    return family;
}

static struct mb_allocator *over_list(void) {
    assert_int_equal(list_base_init(&list, (size_t)64 << 20), MB_OK);
    return &list.under.api;
}

static struct mb_allocator *over_region(void) {
    assert_int_equal(region_base_init(&region, (size_t)64 << 20, MB_REGION_LAZY), MB_OK);
    return &region.api;
}

// --- order -----------------------------------------------------------------------------------------------------------

// The fault layer is below statistics and watermark, and above every layer that would have to undo something.
static void faults_are_seen_above_and_not_below(void **state) {
    (void)state;
    struct mb_family *family = composed(everything(), over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    struct mb_statistics_numbers numbers;
    watermark_events = 0;
    assert_int_equal(mb_family_arm(family, &always), MB_OK);
    assert_null(mb_allocator_allocate(a, 100, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_INJECTED);
    assert_int_equal(mb_family_struck(family), 1);
    assert_int_equal(watermark_events, 1);
    assert_int_equal(mb_family_statistics(family, &numbers), MB_OK);
    assert_int_equal(numbers.failures, 1);
    assert_int_equal(list.live, 0);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

// Statistics count the requested bytes, without those that canary, guard and poison add.
static void statistics_see_what_the_caller_sees(void **state) {
    (void)state;
    struct mb_family *family = composed(everything(), over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    struct mb_statistics_numbers numbers;
    void *p = mb_allocator_allocate(a, 100, 16);
    assert_int_equal(mb_family_statistics(family, &numbers), MB_OK);
    assert_int_equal(numbers.live_bytes, 100);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    assert_int_equal(mb_family_statistics(family, &numbers), MB_OK);
    assert_int_equal(numbers.live_bytes, 0);
    assert_int_equal(list.live, 1); // it waits
    mb_family_flush(family);
    assert_int_equal(list.live, 0);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

// Guard outside quarantine: the guarded block keeps its exact end, and waits without its guard.
static void guard_is_next_to_the_user(void **state) {
    (void)state;
    struct mb_family_options options = everything();
    options.guard = &guard_all;
    options.canary = NULL;
    struct mb_family *family = composed(options, over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    char *p = mb_allocator_allocate(a, 64, 16);
    assert_int_equal(child_outcome(child_writes, p + 64), SIGSEGV);
    assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_OK);
    assert_int_equal((unsigned char)p[0], MB_POISON_BYTE);
    p[0] = 1;
    assert_int_equal(mb_family_check(family), 1);
    mb_family_flush(family);
    assert_int_equal(mb_allocator_corruption_events(a), 1);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

// Canary outside quarantine: an overflow is found when the block is freed, not when it leaves.
static void canary_is_looked_at_before_the_block_waits(void **state) {
    (void)state;
    struct mb_family_options options = everything();
    options.guard = NULL;
    struct mb_family *family = composed(options, over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    struct mb_statistics_numbers numbers;
    char *p = mb_allocator_allocate(a, 64, 16);
    p[64] ^= 1;
    assert_int_equal(mb_family_check(family), 1);
    assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_CORRUPT);
    p[64] ^= 1;
    assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, p, 64), MB_BAD_POINTER); // by the ledger, before anything is poisoned
    assert_int_equal(mb_family_statistics(family, &numbers), MB_OK);
    assert_int_equal(numbers.corruption, 1);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

// A write after the block has left quarantine is still found: by poison, which is next to the base.
static void poison_watches_after_quarantine(void **state) {
    (void)state;
    struct mb_family_options options = options_made();
    struct mb_quarantine_config small = {sizeof small, 64};
    options.quarantine = &small;
    options.poison = &poison;
    struct mb_family *family = composed(options, over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    unsigned char *p = mb_allocator_allocate(a, 64, 16), *q = mb_allocator_allocate(a, 64, 16);
    mb_allocator_deallocate(a, p, 64);
    mb_allocator_deallocate(a, q, 64); // p leaves quarantine
    p[20] = 1;
    assert_ptr_not_equal(mb_allocator_allocate(a, 64, 16), p);
    assert_int_equal(mb_allocator_corruption_events(a), 1);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

static void pressure_flushes_all_that_waits(void **state) {
    (void)state;
    struct mb_family_options options = options_made();
    options.quarantine = &quarantine;
    options.poison = &poison;
    libc_base_init(&libc, 0);
    struct mb_family *family = composed(options, &libc.api);
    struct mb_allocator *a = mb_family_allocator(family);
    libc.limit_bytes = 10000;
    for (size_t i = 0; i < 200; i++) {
        void *p = mb_allocator_allocate(a, 1000 + 16 * i, 16);
        assert_non_null(p);
        assert_int_equal(mb_allocator_deallocate(a, p, 1000 + 16 * i), MB_OK);
    }
    assert_int_equal(mb_family_drop(family), MB_OK);
    assert_int_equal(libc.live_blocks, 0);
    assert_true(libc.dropped);
}

// --- refusals --------------------------------------------------------------------------------------------------------

static void assert_refused(struct mb_family_options options, struct mb_allocator *base, enum mb_error expected) {
    struct mb_family *family = NULL;
    assert_int_equal(mb_family_compose(&options, base, &family), expected);
    assert_null(family);
}

static void no_layer_is_inert(void **state) {
    (void)state;
    struct mb_family_options options;
    struct mb_watermark_config unbounded = watermark;
    struct mb_allocator *arena = over_region();
    libc_base_init(&libc, 0);
    unbounded.budget_bytes = 0;
    options = options_made(), options.poison = &poison, assert_refused(options, arena, MB_BAD_CONFIG);
    options = options_made(), options.quarantine = &quarantine, assert_refused(options, arena, MB_BAD_CONFIG);
    options = options_made(), options.watermark = &unbounded, assert_refused(options, &libc.api, MB_BAD_CONFIG);
    options = options_made(), options.colour = &colour, assert_refused(options, &libc.api, MB_BAD_CONFIG);
    options = options_made(), options.nodes = &node_0, options.node_words = 1;
    assert_refused(options, &libc.api, MB_BAD_CONFIG);
    options = options_made(), options.wishes = MB_FAMILY_HUGE_PAGES, assert_refused(options, &libc.api, MB_BAD_CONFIG);
    options = options_made(), options.wishes = 2, assert_refused(options, &libc.api, MB_BAD_CONFIG);
    options = options_made(), options.canary = &canary, options.guard = &guard_all;
    assert_refused(options, arena, MB_BAD_CONFIG); // no block would end at its canary
    options = options_made(), options.colour = &colour, options.guard = &guard_all;
    assert_refused(options, arena, MB_BAD_CONFIG); // all blocks would start at pages
    options = options_made(), options.wishes = MB_FAMILY_HUGE_PAGES, options.guard = &guard_all;
    assert_refused(options, arena, MB_BAD_CONFIG); // all huge pages would be split
    region.range.protect = NULL;
    options = options_made(), options.guard = &guard_all, assert_refused(options, arena, MB_BAD_CONFIG);
    options = options_made(), options.size = 16, assert_refused(options, arena, MB_BAD_CONFIG);
    assert_refused(options_made(), NULL, MB_BAD_CONFIG);
    assert_int_equal(mb_region_allocated(&region.region), 0);
    assert_false(libc.dropped);
    assert_int_equal(mb_allocator_drop(arena), MB_OK);
}

static void options_of_a_later_version(void **state) {
    (void)state;
    struct {
        struct mb_family_options known;
        void *unknown;
    } later = {everything(), NULL};
    struct mb_family *family = NULL;
    libc_base_init(&libc, 0);
    later.known.size = sizeof later;
    assert_int_equal(mb_family_compose(&later.known, &libc.api, &family), MB_OK);
    assert_int_equal(mb_family_drop(family), MB_OK);
    later.unknown = &later;
    family = NULL;
    assert_int_equal(mb_family_compose(&later.known, &libc.api, &family), MB_BAD_CONFIG);
    assert_null(family);
}

// --- edge cases ------------------------------------------------------------------------------------------------------

// Section 5 of the family's contract, for one layer at a time and for all of them.
static void edge_cases_of(struct mb_family_options options) {
    static char foreign[64];
    struct mb_family *family = composed(options, over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    assert_null(mb_allocator_allocate(a, 0, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_SIZE);
    assert_null(mb_allocator_allocate_zeroed(a, 8, 24));
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_ALIGN);
    assert_null(mb_allocator_allocate(a, 8, 0));
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_ALIGN);
    for (size_t less = 0; less < 40; less++) {
        assert_null(mb_allocator_allocate(a, (size_t)PTRDIFF_MAX - less, 16));
        assert_null(mb_allocator_allocate(a, SIZE_MAX - less, 16));
    }
    assert_null(mb_allocator_allocate(a, (size_t)128 << 20, 16));
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    assert_int_equal(list.live, 0);
    char *p = mb_allocator_allocate(a, 100, 16);
    memset(p, 6, 100);
    assert_null(mb_allocator_grow(a, p, 100, (size_t)128 << 20, 16));
    assert_null(mb_allocator_grow(a, p, 100, 99, 16));
    assert_null(mb_allocator_shrink(a, p, 100, 101, 16));
    assert_null(mb_allocator_shrink(a, p, 100, 0, 16));
    assert_all_bytes(p, 100, 6);
    assert_int_equal(mb_allocator_deallocate(a, NULL, 100), MB_OK);
    assert_int_equal(mb_allocator_deallocate(a, foreign, 64), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_deallocate(a, p + 16, 84), MB_BAD_POINTER);
    assert_int_equal(mb_allocator_reset(a), MB_UNSUPPORTED);
    assert_int_equal(mb_allocator_last_error(a), MB_UNSUPPORTED);
    assert_true(mb_allocator_owns(a, p));
    assert_false(mb_allocator_owns(a, foreign));
    assert_true(mb_allocator_usable_size(a, p) >= 100);
    assert_int_equal(mb_allocator_capacity(a), (size_t)64 << 20);
    for (size_t align = 1; align <= 1 << 20; align *= 2) {
        void *q = mb_allocator_allocate_zeroed(a, 40, align);
        assert_true(q != NULL && mb_is_aligned((uintptr_t)q, align));
        assert_all_bytes(q, 40, 0);
        assert_int_equal(mb_allocator_deallocate(a, q, 40), MB_OK);
    }
    assert_all_bytes(p, 100, 6);
    assert_int_equal(mb_allocator_deallocate(a, p, 100), MB_OK);
    enum mb_error again = mb_allocator_deallocate(a, p, 100);
    assert_true(again == MB_BAD_POINTER || again == MB_DOUBLE_FREE);
    assert_int_equal(mb_family_check(family), 0);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

enum { LAYERS = 8 };

// The options with layer i alone, or all of them.
static struct mb_family_options layer_alone(int i) {
    struct mb_family_options one = options_made(), all = everything();
    switch (i) {
    case 0: one.statistics = all.statistics; break;
    case 1: one.watermark = all.watermark; break;
    case 2: one.fault = all.fault; break;
    case 3: one.guard = &guard_all; break;
    case 4: one.canary = all.canary; break;
    case 5: one.quarantine = all.quarantine; break;
    case 6: one.poison = all.poison; break;
    case 7: return all;
    default: break; // none: a family that only forwards
    }
    return one;
}

static void edge_cases(void **state) {
    (void)state;
    for (int i = 0; i <= LAYERS; i++) edge_cases_of(layer_alone(i));
}

// --- a system that refuses -------------------------------------------------------------------------------------------

enum { STEPS = 60 };

struct run {
    struct mb_allocator *a;
    unsigned char *p[STEPS];
    size_t bytes[STEPS];
    unsigned failed;
};

// A step fails completely or not at all: blocks keep their contents, and a second attempt without refusals succeeds.
static void allocate_step(struct run *run, int i, bool again) {
    size_t bytes = 1 + (size_t)i * 977 % 9000;
    void *p = i % 2 ? mb_allocator_allocate(run->a, bytes, 16) : mb_allocator_allocate_zeroed(run->a, bytes, 64);
    if (p == NULL) {
        assert_false(again);
        assert_int_equal(mb_allocator_last_error(run->a), MB_REFUSED);
        run->failed++;
        mb_fault_os_disarm();
        allocate_step(run, i, true);
        return;
    }
    run->p[i] = memset(p, i, bytes);
    run->bytes[i] = bytes;
}

static void grow_step(struct run *run, int i, bool again) {
    size_t bytes = run->bytes[i] + 500;
    unsigned char *p = mb_allocator_grow(run->a, run->p[i], run->bytes[i], bytes, 16);
    for (size_t k = 0; k < run->bytes[i]; k++) assert_int_equal((p != NULL ? p : run->p[i])[k], i);
    if (p == NULL) {
        assert_false(again);
        run->failed++;
        mb_fault_os_disarm();
        grow_step(run, i, true);
        return;
    }
    run->p[i] = memset(p, i, bytes);
    run->bytes[i] = bytes;
}

static void free_step(struct run *run, int i) {
    for (size_t k = 0; k < run->bytes[i]; k++) assert_int_equal(run->p[i][k], i);
    if (mb_allocator_deallocate(run->a, run->p[i], run->bytes[i]) == MB_OK) return;
    assert_int_equal(mb_allocator_last_error(run->a), MB_REFUSED);
    run->failed++;
    mb_fault_os_disarm();
    assert_int_equal(mb_allocator_deallocate(run->a, run->p[i], run->bytes[i]), MB_OK);
}

// The whole life of a family while system calls from the n-th on fail until a step has failed. Returns whether any was
// struck.
static bool live_with_refusal(struct mb_family_options options, unsigned n) {
    struct mb_fault_config after = MB_FAULT_CONFIG(MB_FAULT_AFTER, n);
    struct run run = {.failed = 0};
    struct mb_family *family = NULL;
    assert_int_equal(list_base_init(&list, (size_t)64 << 20), MB_OK);
    assert_int_equal(mb_fault_os_arm(&after, MB_FAULT_OS_ALL & ~(1u << MB_OS_CALL_UNMAP)), MB_OK);
    if (mb_family_compose(&options, &list.under.api, &family) != MB_OK) {
        assert_null(family);
        mb_fault_os_disarm();
        assert_int_equal(mb_family_compose(&options, &list.under.api, &family), MB_OK);
    }
    run.a = mb_family_allocator(family);
    for (int i = 0; i < STEPS; i++) allocate_step(&run, i, false);
    for (int i = 0; i < STEPS; i += 2) grow_step(&run, i, false);
    assert_int_equal(mb_family_check(family), 0);
    for (int i = 0; i < STEPS; i++) free_step(&run, i);
    mb_fault_os_disarm();
    uint64_t struck = mb_fault_os_struck();
    mb_family_flush(family);
    assert_int_equal(mb_allocator_corruption_events(run.a), 0);
    assert_int_equal(list.live, 0);
    assert_int_equal(mb_family_drop(family), MB_OK);
    return struck != 0;
}

static void refusal_at_every_step(void **state) {
    (void)state;
    struct mb_family_options guarded = everything();
    guarded.guard = &guard_all;
    guarded.canary = NULL;
    unsigned n = 0;
    while (live_with_refusal(guarded, n)) n++;
    assert_true(n > 2 * STEPS); // guards alone make so many calls
    n = 0;
    struct mb_family_options rest = everything();
    rest.guard = NULL;
    while (live_with_refusal(rest, n)) n++;
    assert_true(n > 5);
}

// --- the whole -------------------------------------------------------------------------------------------------------

static void arena_with_colour_and_reset(void **state) {
    (void)state;
    struct mb_family_options options = options_made();
    options.statistics = &statistics;
    options.canary = &canary;
    options.colour = &colour;
    options.nodes = &node_0, options.node_words = 1;
    struct mb_family *family = composed(options, over_region());
    struct mb_allocator *a = mb_family_allocator(family);
    char *base = mb_region_base(&region.region), *p = mb_allocator_allocate(a, 100, 64);
    assert_true(p >= base + 64 && p <= base + 4096);
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    assert_ptr_equal(mb_allocator_allocate(a, 100, 64), p);
    assert_ptr_equal(a->table->range->base(a), base);
    assert_int_equal(a->table->range->size(a), (size_t)64 << 20);
    assert_int_equal(a->table->range->commit(a, 0, 1 << 20), MB_OK);
    assert_int_equal(a->table->range->commit(a, 0, (size_t)65 << 20), MB_BAD_RANGE);
    assert_int_equal(mb_allocator_last_error(a), MB_BAD_RANGE);
    assert_int_equal(a->table->range->release_pages(a, base, mb_os_page_size()), MB_OK);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

static void huge_family_purges_whole_pages(void **state) {
    (void)state;
    struct mb_family_options options = options_made();
    options.wishes = MB_FAMILY_HUGE_PAGES;
    options.nodes = &node_0, options.node_words = 1;
    assert_int_equal(mb_family_region_flags(&options), MB_REGION_HUGE_PAGES | MB_REGION_NUMA);
    options.nodes = NULL;
    if (!mb_os_huge_pages_enabled()) skip();
    size_t huge = mb_os_huge_page_size();
    assert_int_equal(region_base_init(&region, 2 * huge, mb_family_region_flags(&options)), MB_OK);
    struct mb_family *family = composed(options, &region.api);
    struct mb_allocator *a = mb_family_allocator(family);
    char *p = mb_allocator_allocate(a, 2 * huge, 16);
    memset(p, 1, 2 * huge);
    assert_int_equal(a->table->range->release_pages(a, p + 4096, 2 * huge - 4096), MB_OK);
    assert_int_equal(p[4096], 1);
    assert_int_equal(p[huge], 0);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

static bool count_blocks(void *context, void *p, size_t bytes) {
    (void)p;
    *(size_t *)context += bytes;
    return true;
}

static void walk_and_numbers(void **state) {
    (void)state;
    struct mb_family_options options = everything();
    options.guard = NULL;
    struct mb_family *family = composed(options, over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    size_t sum = 0;
    for (size_t i = 1; i <= 100; i++) assert_non_null(mb_allocator_allocate(a, i, 16));
    assert_int_equal(mb_family_walk(family, count_blocks, &sum), MB_OK);
    assert_int_equal(sum, 5050);
    assert_int_equal(mb_family_drop(family), MB_OK);
    family = composed(options_made(), over_list());
    struct mb_statistics_numbers numbers;
    assert_int_equal(mb_family_walk(family, count_blocks, &sum), MB_UNSUPPORTED);
    assert_int_equal(mb_family_statistics(family, &numbers), MB_UNSUPPORTED);
    assert_int_equal(mb_family_arm(family, &no_fault), MB_UNSUPPORTED);
    assert_int_equal(mb_family_struck(family), 0);
    assert_int_equal(mb_allocator_drop(mb_family_allocator(family)), MB_OK); // either way
}

// The layers' tables are far from the blocks, and nothing stays mapped after a drop.
static void metadata_lies_apart_and_goes(void **state) {
    (void)state;
    struct mb_family *family = composed(everything(), over_list());
    struct kernel_mapping mapping = kernel_mapping_of(family), gone;
    assert_string_equal(kernel_mapping_of((char *)mapping.first - 1).access, "---p");
    assert_string_equal(kernel_mapping_of((char *)mapping.last).access, "---p");
    char *p = mb_allocator_allocate(mb_family_allocator(family), 100, 16);
    assert_true((uintptr_t)p < mapping.first || (uintptr_t)p >= mapping.last);
    assert_int_equal(mb_family_drop(family), MB_OK);
    assert_false(kernel_mapping_at((void *)mapping.first, &gone));
    assert_false(kernel_mapping_at(p, &gone));
}

// If the base cannot be dropped the family stays usable.
static void refused_drop_changes_nothing(void **state) {
    (void)state;
    struct mb_fault_config always = MB_FAULT_CONFIG(MB_FAULT_ALWAYS, 0);
    struct mb_family *family = composed(everything(), over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    char *p = mb_allocator_allocate(a, 100, 16);
    assert_int_equal(mb_fault_os_arm(&always, 1u << MB_OS_CALL_UNMAP), MB_OK);
    assert_int_equal(mb_family_drop(family), MB_REFUSED);
    mb_fault_os_disarm();
    assert_int_equal(mb_allocator_last_error(a), MB_REFUSED);
    p[99] = 1;
    assert_non_null(mb_allocator_allocate(a, 100, 16));
    assert_int_equal(mb_family_drop(family), MB_OK);
}

// In a child: an overflow under the default policy, found on free or (with `drop`) at the end.
static bool overflow_and(bool drop) {
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    struct mb_family *family = NULL;
    options.canary = &canary;
    libc_base_init(&libc, 0);
    if (mb_family_compose(&options, &libc.api, &family) != MB_OK) return false;
    struct mb_allocator *a = mb_family_allocator(family);
    char *p = mb_allocator_allocate(a, 100, 16);
    p[100] ^= 1;
    if (drop)
        mb_family_drop(family);
    else
        mb_allocator_deallocate(a, p, 100);
    return false;
}

static bool overflow_and_free(void *unused) { return unused == NULL && overflow_and(false); }
static bool overflow_and_drop(void *unused) { return unused == NULL && overflow_and(true); }

static void the_default_policy_aborts(void **state) {
    (void)state;
    assert_int_equal(child_outcome(overflow_and_free, NULL), SIGABRT);
    assert_int_equal(child_outcome(overflow_and_drop, NULL), SIGABRT);
}

// One line on stderr, and the process goes on.
static void the_log_policy_says_so(void **state) {
    (void)state;
    int ends[2], saved = dup(2);
    char line[256] = {0}, expected[64];
    struct mb_family_options options = everything();
    options.policy = MB_POLICY_LOG;
    options.guard = NULL;
    struct mb_family *family = composed(options, over_list());
    struct mb_allocator *a = mb_family_allocator(family);
    char *p = mb_allocator_allocate(a, 100, 16);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], 2);
    p[107] ^= 1;
    enum mb_error error = mb_allocator_deallocate(a, p, 100);
    p[107] ^= 1;
    dup2(saved, 2);
    assert_int_equal(error, MB_CORRUPT);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    snprintf(expected, sizeof expected, "mbmalloc: block overflow: %p\n", (void *)(p + 100));
    assert_string_equal(line, expected);
    assert_int_equal(mb_allocator_corruption_events(a), 1);
    close(ends[0]), close(ends[1]), close(saved);
    assert_int_equal(mb_family_drop(family), MB_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_seen_above_and_not_below),
        cmocka_unit_test(statistics_see_what_the_caller_sees),
        cmocka_unit_test(guard_is_next_to_the_user),
        cmocka_unit_test(canary_is_looked_at_before_the_block_waits),
        cmocka_unit_test(poison_watches_after_quarantine),
        cmocka_unit_test(pressure_flushes_all_that_waits),
        cmocka_unit_test(no_layer_is_inert),
        cmocka_unit_test(options_of_a_later_version),
        cmocka_unit_test(edge_cases),
        cmocka_unit_test(refusal_at_every_step),
        cmocka_unit_test(arena_with_colour_and_reset),
        cmocka_unit_test(huge_family_purges_whole_pages),
        cmocka_unit_test(walk_and_numbers),
        cmocka_unit_test(metadata_lies_apart_and_goes),
        cmocka_unit_test(refused_drop_changes_nothing),
        cmocka_unit_test(the_default_policy_aborts),
        cmocka_unit_test(the_log_policy_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
