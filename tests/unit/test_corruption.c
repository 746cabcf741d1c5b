// The corruption matrix of what lies in band: every bit of every link, tag and frame is flipped in turn.
//
//   word                                          what happens
//   link of a free slot, wherever it is listed    detected when the slot comes to the head; no slot is lost
//   tag of a free slot                            detected there too; that slot alone is lost
//   first word of the slot that was freed first   harmless: it is on no list, and its tag alone is looked at
//   the same two words of a live slot             the user's: harmless, nothing is said
//   memory that was never carved                  harmless
//   a frame of a stack arena, each of its words   detected when the block is the newest, and nothing changes
//
// Descriptors, maps and cursors are out of band: in guarded mappings of their own, or in the member's struct.
#include <string.h>

#include "core/harden/link_key.h"
#include "core/layout/remote_slab.h"
#include "core/layout/size_classed.h"
#include "core/layout/slab_pool.h"
#include "core/layout/stack_arena.h"
#include "platform/os.h"
#include "tests/unit/memory.h"

enum { SLOT = 1024, SLOTS = 64, MEDIUM = 20000 };

static char *slots[SLOTS];

static void flip(void *word, unsigned bit) {
    unsigned char *bytes = word;
    bytes[bit / 8] = (unsigned char)(bytes[bit / 8] ^ 1u << bit % 8);
}

static struct mb_source_config one_slab(size_t bytes) {
    struct mb_source_config config = MB_SOURCE_CONFIG(bytes);
    config.policy = MB_POLICY_COUNT;
    return config;
}

// Allocates all slots; each may come only once. Returns how many.
static size_t drain(struct mb_allocator *a, size_t bytes, const char *base) {
    bool seen[SLOTS] = {false};
    char *p;
    size_t count = 0;
    while ((p = mb_allocator_allocate(a, bytes, 16)) != NULL) {
        size_t index = (size_t)(p - base) / mb_allocator_usable_size(a, p);
        assert_true(index < SLOTS && !seen[index]);
        seen[index] = true;
        memset(p, 0x77, bytes);
        count++;
    }
    assert_int_equal(mb_allocator_last_error(a), MB_FULL);
    return count;
}

// --- slots freed by the owner ----------------------------------------------------------------------------------------

// Takes all, then frees those of `freed` in this order: the first one is kept apart, the last one is the head of the
// local list.
static size_t prepare(struct mb_allocator *a, size_t bytes, const size_t *freed, size_t count) {
    size_t taken = 0;
    char *p;
    while ((p = mb_allocator_allocate(a, bytes, 16)) != NULL) slots[taken++] = p;
    for (size_t i = 0; i < count; i++) assert_int_equal(mb_allocator_deallocate(a, slots[freed[i]], bytes), MB_OK);
    return taken;
}

static void flip_in_list(struct mb_allocator *a, size_t bytes) {
    const size_t freed[] = {5, 2, 9, 0};
    enum { FREED = sizeof freed / sizeof freed[0] };
    for (size_t victim = 0; victim < FREED; victim++) {
        for (unsigned bit = 0; bit < 128; bit++) {
            assert_int_equal(mb_allocator_reset(a), MB_OK);
            uint64_t events = mb_allocator_corruption_events(a);
            prepare(a, bytes, freed, FREED);
            char *base = slots[0];
            flip(slots[freed[victim]], bit);
            size_t again = drain(a, bytes, base);
            bool harmless = victim == 0 && bit < 64;
            assert_int_equal(mb_allocator_corruption_events(a), events + !harmless);
            assert_int_equal(again, bit < 64 ? FREED : FREED - 1);
        }
    }
}

// The first slots of a slab come from a list of carved ones.
static void flip_in_carved(struct mb_allocator *a, size_t bytes) {
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    size_t all = prepare(a, bytes, NULL, 0);
    for (unsigned bit = 0; bit < 128; bit++) {
        assert_int_equal(mb_allocator_reset(a), MB_OK);
        uint64_t events = mb_allocator_corruption_events(a);
        char *first = mb_allocator_allocate(a, bytes, 16);
        flip(first + mb_allocator_usable_size(a, first), bit); // the next of the page, or not carved yet
        size_t more = drain(a, bytes, first);
        bool carved = 2 * bytes <= mb_os_page_size();
        assert_int_equal(mb_allocator_corruption_events(a), events + carved);
        assert_int_equal(1 + more, carved && bit >= 64 ? all - 1 : all);
    }
}

static void flip_in_live(struct mb_allocator *a, size_t bytes) {
    assert_int_equal(mb_allocator_reset(a), MB_OK);
    uint64_t events = mb_allocator_corruption_events(a);
    char *p = mb_allocator_allocate(a, bytes, 16);
    for (unsigned bit = 0; bit < 128; bit++) {
        flip(p, bit);
        assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_OK);
        char *others[SLOTS];
        size_t count = 0;
        while ((others[count] = mb_allocator_allocate(a, bytes, 16)) != NULL && others[count] != p) count++;
        while (count > 0) assert_int_equal(mb_allocator_deallocate(a, others[--count], bytes), MB_OK);
    }
    // A live block may happen to contain its own tag: that is verified before a double free is reported.
    const struct mb_link_key key = mb_link_key_get();
    ((uint64_t *)p)[1] = mb_link_encode(&key, (uintptr_t)p);
    assert_int_equal(mb_allocator_deallocate(a, p, bytes), MB_OK);
    assert_int_equal(mb_allocator_corruption_events(a), events);
}

static void links_and_tags_of_a_pool(void **state) {
    (void)state;
    struct mb_slab_pool pool;
    struct mb_source_config config = one_slab(MB_UNIT_BYTES);
    assert_int_equal(mb_slab_pool_new_with(&pool, SLOT, 16, &config), MB_OK);
    flip_in_list(&pool.allocator, SLOT);
    flip_in_carved(&pool.allocator, SLOT);
    flip_in_live(&pool.allocator, SLOT);
    assert_int_equal(mb_slab_pool_drop(&pool), MB_OK);
}

static void links_and_tags_of_the_size_classed(void **state) {
    (void)state;
    const size_t sizes[] = {SLOT, MEDIUM};
    for (size_t i = 0; i < 2; i++) {
        struct mb_size_classed classed;
        struct mb_source_config config = one_slab(sizes[i] > MB_SMALL_MAX ? 4 * MB_UNIT_BYTES : MB_UNIT_BYTES);
        assert_int_equal(mb_size_classed_new_with(&classed, &config), MB_OK);
        flip_in_list(&classed.allocator, sizes[i]);
        flip_in_carved(&classed.allocator, sizes[i]);
        flip_in_live(&classed.allocator, sizes[i]);
        assert_int_equal(mb_size_classed_drop(&classed), MB_OK);
    }
}

// --- slots freed by remotes ------------------------------------------------------------------------------------------

// Here a tag may be that of a slot on its way to the owner, so what lies behind a broken link is lost; never handed out
// twice.
static void links_and_tags_of_a_remote_slab(void **state) {
    (void)state;
    const size_t freed[] = {5, 2, 9, 0};
    enum { FREED = sizeof freed / sizeof freed[0] };
    for (size_t victim = 0; victim < FREED; victim++) {
        for (unsigned bit = 0; bit < 128; bit++) {
            struct mb_remote_slab slab;
            struct mb_remote_handle_shared handle;
            struct mb_source_config config = one_slab(MB_UNIT_BYTES);
            assert_int_equal(mb_remote_slab_new_with(&slab, SLOT, 16, &config), MB_OK);
            mb_remote_slab_handle(&slab, &handle);
            prepare(&slab.allocator, SLOT, NULL, 0);
            char *base = slots[0];
            for (size_t i = 0; i < FREED; i++) assert_int_equal(mb_remote_handle_give(&handle, slots[freed[i]]), MB_OK);
            flip(slots[freed[victim]], bit);
            size_t again = drain(&slab.allocator, SLOT, base);
            assert_int_equal(mb_allocator_corruption_events(&slab.allocator), 1);
            assert_true(again >= FREED - 1 - victim && again <= FREED);
            assert_int_equal(mb_remote_handle_drop(&handle), MB_OK);
            assert_int_equal(mb_remote_slab_drop(&slab), MB_OK);
        }
    }
}

// --- frames ----------------------------------------------------------------------------------------------------------

static void frames_of_a_stack_arena(void **state) {
    (void)state;
    enum { BLOCKS = 4, FRAME_BITS = 3 * 64 };
    static _Alignas(64) char memory[4096];
    for (size_t victim = 0; victim < BLOCKS; victim++) {
        for (unsigned bit = 0; bit < FRAME_BITS; bit++) {
            struct mb_stack_arena stack;
            mb_stack_arena_init(&stack, memory, sizeof memory, MB_POLICY_COUNT);
            for (size_t i = 0; i < BLOCKS; i++) slots[i] = mb_stack_arena_allocate(&stack, 100, 1u << i * 2);
            flip(slots[victim] - FRAME_BITS / 8, bit);
            for (size_t i = BLOCKS - 1; i > victim; i--) assert_int_equal(mb_stack_arena_deallocate(&stack, slots[i]), MB_OK);
            size_t used = mb_bump_arena_used(&stack.arena);
            assert_int_equal(mb_stack_arena_deallocate(&stack, slots[victim]), MB_CORRUPT);
            assert_int_equal(mb_stack_arena_usable_size(&stack, slots[victim]), 0);
            assert_int_equal(mb_bump_arena_used(&stack.arena), used);
            assert_int_equal(mb_allocator_corruption_events(&stack.allocator), 1);
            flip(slots[victim] - FRAME_BITS / 8, bit); // mended: goes on
            for (size_t i = victim + 1; i > 0; i--) assert_int_equal(mb_stack_arena_deallocate(&stack, slots[i - 1]), MB_OK);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_and_tags_of_a_pool),
        cmocka_unit_test(links_and_tags_of_the_size_classed),
        cmocka_unit_test(links_and_tags_of_a_remote_slab),
        cmocka_unit_test(frames_of_a_stack_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
