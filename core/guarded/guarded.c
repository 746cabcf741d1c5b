#include "core/guarded/guarded.h"

#include <string.h>

#include "core/base/mistake.h"
#include "core/base/rng.h"
#include "core/base/sealed.h"
#include "core/guarded/slot.h"
#include "core/guarded/told.h"
#include "core/hardened/slack.h"
#include "core/heap/perturb.h"
#include "core/process/stack.h"
#include "core/region/arena.h"
#include "platform/bits.h"
#include "platform/os.h"

struct mb_guarded_range_shared mb_guarded_range_shared;

static struct {
    _Atomic uint32_t stage;        // enum stage; written by the thread that creates the pool
    _Atomic uint64_t random;       // Weyl sequence; any thread, relaxed
    _Atomic uint64_t due_ns;       // when a sample was last due; any thread, relaxed
    struct mb_guarded_slot *slots; // written before mb_guarded_range_shared.base
} pool_shared;

enum stage { UNMADE, MAKING, MADE };

// A sample costs about 40 us (two stack walks, two system calls, a page fault). One in each such interval is half a
// percent of the time of a program that does nothing but malloc and free.
static const uint64_t PAUSE_NS = 10000000;

// --- the pool --------------------------------------------------------------------------------------------------------

// The process id is mixed in, so that forked children draw other numbers.
static uint64_t draw(void) {
    uint64_t next = atomic_fetch_add_explicit(&pool_shared.random, MB_RNG_STEP, memory_order_relaxed);
    return mb_mix64(next ^ (mb_option.seed == 0 ? (uint64_t)mb_os_pid() : 0));
}

static bool make(void) {
    size_t bytes = (2 * MB_GUARDED_SLOTS + 1) * mb_os_page_size();
    uint64_t random = mb_option.seed;
    void *base;
    pool_shared.slots = mb_arena_metadata(MB_GUARDED_SLOTS * sizeof *pool_shared.slots, MB_LINE_PAIR);
    if (pool_shared.slots == NULL || mb_os_reserve(NULL, bytes, &base) != 0) return false;
    if (random == 0) mb_os_random(&random, sizeof random);
    atomic_store_explicit(&pool_shared.random, random, memory_order_relaxed);
    atomic_store_explicit(&mb_guarded_range_shared.bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&mb_guarded_range_shared.base, (uintptr_t)base, memory_order_release);
    if (!mb_sealed_open()) return true;
    mb_os_on_fault(mb_guarded_on_fault);
    mb_sealed_close();
    return true;
}

// A thread that arrives while another one creates the pool, or after the system has refused it, gets no sample.
static bool is_made(void) {
    uint32_t seen = atomic_load_explicit(&pool_shared.stage, memory_order_acquire);
    if (MB_LIKELY(seen == MADE)) return true;
    if (seen != UNMADE || !atomic_compare_exchange_strong(&pool_shared.stage, &seen, MAKING)) return false;
    if (!make()) return false;
    atomic_store_explicit(&pool_shared.stage, MADE, memory_order_release);
    return true;
}

struct mb_guarded_slot *mb_guarded_slot_at(size_t index) {
    return &pool_shared.slots[index];
}

static char *page_of(size_t index) {
    return (char *)atomic_load_explicit(&mb_guarded_range_shared.base, memory_order_relaxed) + (2 * index + 1) * mb_os_page_size();
}

// --- choosing --------------------------------------------------------------------------------------------------------

static bool is_exact(void) { return mb_option.guard_rate <= MB_GUARD_RATE_EXACT_MAX; }

// Uniformly distributed, with guard_rate as its mean.
static uint32_t draw_distance(void) { return 1 + (uint32_t)(draw() % (2 * mb_option.guard_rate - 1)); }

static bool count_down(struct mb_heap *heap, uint32_t refills) {
    uint32_t left = heap->guard_countdown;
    heap->guard_countdown = left > refills ? left - refills : draw_distance();
    return left != 0 && left <= refills;
}

static bool is_long_ago(void) {
    uint64_t now = mb_os_now_ns();
    if (now - atomic_load_explicit(&pool_shared.due_ns, memory_order_relaxed) < PAUSE_NS) return false;
    atomic_store_explicit(&pool_shared.due_ns, now, memory_order_relaxed);
    return true;
}

// If a sample was due and no refill has taken it by the next tick, it is dropped: ticks also come from large blocks,
// and these should not keep the slow path of refills switched on.
MB_NOINLINE void mb_guarded_note_slow(struct mb_heap *heap, uint32_t refills) {
    bool due = count_down(heap, refills) && is_long_ago();
    if (!mb_perturb_take_guarded() && due) mb_perturb_set_guarded(true);
}

static bool is_due(struct mb_heap *heap) { return is_exact() ? count_down(heap, 1) : mb_perturb_take_guarded(); }

// The free slot that was never used or has been free for longest. MB_GUARDED_SLOTS: none is free.
static size_t oldest_free(void) {
    size_t oldest = MB_GUARDED_SLOTS, start = draw() % MB_GUARDED_SLOTS;
    for (size_t i = 0; i < MB_GUARDED_SLOTS; i++) {
        size_t index = (start + i) % MB_GUARDED_SLOTS;
        if (mb_guarded_state(&pool_shared.slots[index].word) != MB_GUARDED_FREE) continue;
        bool older = oldest == MB_GUARDED_SLOTS || MB_PEEK(pool_shared.slots[index].freed_ns) < MB_PEEK(pool_shared.slots[oldest].freed_ns);
        if (older) oldest = index;
    }
    return oldest;
}

static size_t take_slot(void) {
    for (int tries = 0; tries < 4; tries++) {
        size_t index = oldest_free();
        if (index == MB_GUARDED_SLOTS || mb_guarded_take(&pool_shared.slots[index].word)) return index;
    }
    return MB_GUARDED_SLOTS;
}

// --- a sample --------------------------------------------------------------------------------------------------------

// memalign has already rounded the size up to a multiple of the alignment.
static size_t align_of(size_t bytes) { return mb_max(MB_GRANULE, bytes & (0 - bytes)); }

static char *place(char *page, size_t bytes) {
    bool at_start = (draw() >> 32 & 1) != 0;
    return at_start ? page : page + mb_align_down(mb_os_page_size() - bytes, align_of(bytes));
}

static void set_up(struct mb_guarded_slot *slot, char *start, size_t bytes, char *page_end) {
    slot->start = start;
    slot->bytes = bytes;
    slot->salt = draw();
    slot->freed_by = 0;
    slot->freed_depth = 0;
    slot->made_by = mb_os_thread_id();
    slot->made_depth = mb_stack_capture(slot->made, MB_GUARDED_DEPTH);
    size_t room = (size_t)(page_end - start);
    if (mb_align_down(bytes, sizeof(uint64_t)) < room) mb_slack_fill_zeros(slot->salt, start, bytes, room); // the page is fresh
}

MB_NOINLINE static void *alloc(size_t bytes) {
    size_t index = take_slot(), page_bytes = mb_os_page_size();
    if (index == MB_GUARDED_SLOTS) return NULL;
    char *page = page_of(index);
    struct mb_guarded_slot *slot = &pool_shared.slots[index];
    if (mb_os_commit(page, page_bytes) != 0) {
        mb_guarded_give(&slot->word);
        return NULL;
    }
    char *start = place(page, bytes);
    set_up(slot, start, bytes, page + page_bytes);
    mb_guarded_hand_out(&slot->word);
    return start;
}

void *mb_guarded_alloc(struct mb_heap *heap, size_t bytes) {
    if (bytes - 1 >= mb_os_page_size() || !is_made() || !is_due(heap)) return NULL;
    return alloc(bytes);
}

static struct mb_guarded_slot *slot_of(const void *p) {
    size_t page = ((uintptr_t)p - atomic_load_explicit(&mb_guarded_range_shared.base, memory_order_relaxed)) / mb_os_page_size();
    return page % 2 == 1 ? &pool_shared.slots[page / 2] : NULL;
}

size_t mb_guarded_bytes(const void *p) {
    if (!mb_guarded_contains(p)) return 0;
    struct mb_guarded_slot *slot = slot_of(p);
    bool live = slot != NULL && mb_guarded_state(&slot->word) == MB_GUARDED_LIVE && slot->start == p;
    return live ? slot->bytes : 0;
}

static void check(const struct mb_guarded_slot *slot) {
    uintptr_t page = mb_align_down((uintptr_t)slot->start, mb_os_page_size());
    size_t lead = (uintptr_t)slot->start - page;
    if (!mb_slack_is_zero((const char *)page, lead)) mb_guarded_tell_damage(slot, "heap underflow (written before the block)");
    if (!mb_slack_is_intact(slot->salt, slot->start, slot->bytes, mb_os_page_size() - lead))
        mb_guarded_tell_damage(slot, "heap overflow (written behind the block)");
}

void mb_guarded_free(void *p) {
    struct mb_guarded_slot *slot = slot_of(p);
    if (slot == NULL || !mb_guarded_claim(&slot->word)) return mb_guarded_report(MB_OP_FREE, p);
    check(slot);
    slot->freed_by = mb_os_thread_id();
    slot->freed_depth = mb_stack_capture(slot->freed, MB_GUARDED_DEPTH);
    MB_POKE(slot->freed_ns, mb_os_now_fine_ns());
    mb_os_decommit((void *)mb_align_down((uintptr_t)p, mb_os_page_size()), mb_os_page_size());
    mb_guarded_give(&slot->word);
}

void mb_guarded_visit(void (*visit)(void *context, uintptr_t block, size_t bytes), void *context) {
    if (atomic_load_explicit(&mb_guarded_range_shared.base, memory_order_acquire) == 0) return;
    for (size_t i = 0; i < MB_GUARDED_SLOTS; i++) {
        struct mb_guarded_slot *slot = &pool_shared.slots[i];
        if (mb_guarded_state(&slot->word) == MB_GUARDED_LIVE) visit(context, (uintptr_t)slot->start, slot->bytes);
    }
}

static void add(void *context, uintptr_t block, size_t bytes) {
    struct mb_guarded_totals *all = context;
    (void)block;
    all->blocks++;
    all->bytes += bytes;
}

struct mb_guarded_totals mb_guarded_totals(void) {
    struct mb_guarded_totals all = {0, 0};
    mb_guarded_visit(add, &all);
    return all;
}

void mb_guarded_count(struct mb_statistics *all) {
    struct mb_guarded_totals totals = mb_guarded_totals();
    all->live_blocks += totals.blocks;
    all->live_bytes += totals.bytes;
    all->live_resident_bytes += totals.blocks * mb_os_page_size(); // each has a page, made resident by its canary
    all->committed_bytes += totals.blocks * mb_os_page_size();
    all->reserved_bytes += atomic_load_explicit(&mb_guarded_range_shared.bytes, memory_order_relaxed);
}
