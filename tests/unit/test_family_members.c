// Every layer over every member of the region family: it works, or it is refused when it is made.
#include <string.h>

#include "core/base/rng.h"
#include "core/family/family.h"
#include "tests/unit/members.h"
#include "tests/unit/memory.h"

static void no_callback(void *context, const struct mb_watermark_event *event) {
    (void)context;
    (void)event;
}

static const struct mb_statistics_config statistics = MB_STATISTICS_CONFIG;
static const struct mb_watermark_config watermark = {sizeof watermark, no_callback, NULL, 1000000, {75, 90, 0, 0}, 5};
static const struct mb_fault_config fault = MB_FAULT_CONFIG(MB_FAULT_EVERY, 100);
static const struct mb_guard_config guard_all = MB_GUARD_CONFIG, guard_some = {sizeof guard_some, 8};
static const struct mb_canary_config canary = MB_CANARY_CONFIG;
static const struct mb_quarantine_config quarantine = {sizeof quarantine, 10000};
static const struct mb_poison_config poison = {sizeof poison, 10000};
static const struct mb_colour_config colour = MB_COLOUR_CONFIG;

enum { CASES = 10 };
static const char *const names[CASES] = {"none", "statistics", "watermark", "fault", "guard", "canary", "quarantine", "poison",
                                         "colour", "all that can wait"};

static struct mb_family_options options_of(int which) {
    struct mb_family_options options = MB_FAMILY_OPTIONS;
    bool all = which == 9;
    options.policy = MB_POLICY_COUNT;
    if (which == 1 || all) options.statistics = &statistics;
    if (which == 2 || all) options.watermark = &watermark;
    if (which == 3 || all) options.fault = &fault;
    if (which == 4) options.guard = &guard_all;
    if (all) options.guard = &guard_some;
    if (which == 5 || all) options.canary = &canary;
    if (which == 6 || all) options.quarantine = &quarantine;
    if (which == 7 || all) options.poison = &poison;
    if (which == 8) options.colour = &colour;
    return options;
}

static bool can_act(int which, const struct mb_allocator *member, size_t most_bytes) {
    bool frees = mb_allocator_can(member, MB_TRAIT_FREES), ordered = mb_allocator_can(member, MB_TRAIT_ORDERED);
    bool waits = frees && !ordered, guards = !ordered && most_bytes > 10000;
    switch (which) {
    case 4: return guards;
    case 6:
    case 7: return waits;
    case 8: return mb_allocator_can(member, MB_TRAIT_RANGE | MB_TRAIT_RESETS) && !frees;
    case 9: return waits && guards;
    default: return true;
    }
}

enum { HELD = 40 };

// Random allocations and frees; frees in reverse order if the member requires that.
static void use(struct mb_allocator *a, size_t most_bytes) {
    unsigned char *held[HELD] = {NULL};
    size_t bytes[HELD];
    struct mb_rng rng = {11};
    bool ordered = mb_allocator_can(a, MB_TRAIT_ORDERED);
    for (int round = 0; round < (mb_allocator_can(a, MB_TRAIT_FREES) ? 20 : 1); round++) {
        for (int i = 0; i < HELD; i++) {
            bytes[i] = 1 + mb_rng_below(&rng, most_bytes > 3000 ? 3000 : 50);
            held[i] = i % 2 ? mb_allocator_allocate(a, bytes[i], 16) : mb_allocator_allocate_zeroed(a, bytes[i], 16);
            if (held[i] != NULL && i % 2 == 0) assert_all_bytes((char *)held[i], bytes[i], 0);
            if (held[i] != NULL) memset(held[i], i, bytes[i]);
        }
        for (int k = 0; k < HELD; k++) {
            int i = ordered ? HELD - 1 - k : (k * 7) % HELD;
            if (held[i] == NULL) continue;
            assert_all_bytes((char *)held[i], bytes[i], (char)i);
            assert_int_equal(mb_allocator_deallocate(a, held[i], bytes[i]), MB_OK);
        }
    }
    if (mb_allocator_can(a, MB_TRAIT_RESETS)) assert_int_equal(mb_allocator_reset(a), MB_OK);
    assert_non_null(mb_allocator_allocate(a, 40, 16));
    assert_int_equal(mb_allocator_corruption_events(a), 0);
}

static void every_layer_over_every_member(void **state) {
    (void)state;
    for (size_t m = 0; m < member_count; m++) {
        for (int which = 0; which < CASES; which++) {
            struct mb_family_options options = options_of(which);
            struct mb_family *family = NULL;
            assert_int_equal(members[m].make(MB_POLICY_COUNT), MB_OK);
            struct mb_allocator *member = members[m].allocator();
            enum mb_error error = mb_family_compose(&options, member, &family);
            print_message("%-20s %-20s %s\n", members[m].name, names[which], error == MB_OK ? "acts" : "refused");
            assert_int_equal(error == MB_OK, can_act(which, member, members[m].most_bytes));
            if (error == MB_OK) {
                use(mb_family_allocator(family), members[m].most_bytes);
                if (mb_allocator_can(member, MB_TRAIT_RESETS)) mb_allocator_reset(mb_family_allocator(family));
                assert_int_equal(mb_family_check(family), 0);
            }
            members[m].unmake(); // the member, and what lies below; the family's own mapping stays in this test
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_layer_over_every_member)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
