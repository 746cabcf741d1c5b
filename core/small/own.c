#include "core/small/own.h"

#include "core/base/check.h"
#include "core/heap/heaps.h"
#include "core/region/arena.h"
#include "core/region/changed.h"
#include "core/small/commons.h"
#include "core/small/mask.h"
#include "core/small/queue.h"
#include "core/told/report.h"
#include "platform/os.h"

enum { MOMENT_NS = 20000 };
static const uint32_t GENERATION_MASK = UINT32_MAX >> MB_REMOTE_GENERATION_SHIFT;

// A slab is worth using again when a page's worth of its blocks is free: then the cost of the change is spread over
// them. Random frees over a large heap would otherwise bring every slab back for one block (measured with 1e6 live
// blocks: 2.3x the time).
static uint32_t blocks_worth_using(uint32_t capacity) { return capacity < MB_REUSE_FRACTION ? 1 : capacity / MB_REUSE_FRACTION; }

// --- what malloc takes from ------------------------------------------------------------------------------------------

MB_COLD void mb_own_meet_freed_twice(struct mb_slab *slab) { mb_slab_collect(slab); }

bool mb_own_use_local(struct mb_heap *heap, struct mb_slab *slab) { return mb_mask_next_word(heap, slab, slab->class_index); }

// False: there was nothing.
static bool collect(struct mb_heap *heap, struct mb_slab *slab) {
    uint32_t blocks = mb_slab_collect(slab);
    uint64_t before = atomic_load_explicit(&heap->shared.remote_frees, memory_order_relaxed);
    if (blocks != 0) atomic_store_explicit(&heap->shared.remote_frees, before + blocks, memory_order_relaxed);
    return blocks != 0;
}

bool mb_own_use_remote(struct mb_heap *heap, struct mb_slab *slab) { return collect(heap, slab) && mb_own_use_local(heap, slab); }

bool mb_own_use_remote_batch(struct mb_heap *heap, struct mb_slab *slab) {
    const struct mb_unit *unit = mb_slab_unit(slab);
    return mb_slab_has_remote(unit) && mb_slab_count_free(unit) >= blocks_worth_using(slab->capacity) && mb_own_use_remote(heap, slab);
}

bool mb_own_use_carved(struct mb_heap *heap, struct mb_slab *slab) {
    if (!mb_slab_carve(slab) || !mb_own_use_local(heap, slab)) return false;
    mb_slab_unit(slab)->shared.served = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
    return true;
}

// --- arriving -------------------------------------------------------------------------------------------------------

// Changes the state of the hinted slab.
static bool enter(struct mb_slab_hint hint, enum mb_slab_state from, enum mb_slab_state to) {
    struct mb_unit *unit = mb_unit_at(hint.unit);
    uint64_t word = mb_remote_load(unit);
    if (mb_remote_generation(word) != hint.generation || mb_remote_state(word) != from) return false;
    return mb_remote_change(unit, word, to);
}

static void come_from_queue(struct mb_slab *slab) {
    mb_slab_set_heartbeat(slab);
    // Its pages come back as they are used.
    atomic_store_explicit(&mb_slab_unit(slab)->shared.purged_pages, 0, memory_order_relaxed);
}

static struct mb_slab *own_as_current(const struct mb_heap *heap, struct mb_unit *unit) {
    struct mb_slab *slab = &unit->slab;
    come_from_queue(slab);
    atomic_store_explicit(&unit->shared.home, (struct mb_heap *)(uintptr_t)heap, memory_order_relaxed);
    MB_POKE(slab->owner, heap->token);
    return slab;
}

bool mb_own_is_busy(struct mb_slab_hint hint) {
    uint64_t word = mb_remote_load(mb_unit_at(hint.unit));
    return mb_remote_generation(word) == hint.generation && (word & MB_REMOTE_BUSY) != 0;
}

struct mb_slab *mb_own_queued_to_current(const struct mb_heap *heap, struct mb_slab_hint hint) {
    if (!enter(hint, MB_SLAB_QUEUED, MB_SLAB_CURRENT)) return NULL;
    return own_as_current(heap, mb_unit_at(hint.unit));
}

// What is sampled stays so while the slab is of the hint's generation.
static bool may_take(const struct mb_heap *heap, const struct mb_unit *unit) {
    return atomic_load_explicit(&unit->shared.sampled, memory_order_relaxed) == 0 || heap == mb_commons_at(MB_COMMONS_SAMPLES);
}

struct mb_slab *mb_own_unowned_to_current(const struct mb_heap *heap, struct mb_slab_hint hint) {
    struct mb_unit *unit = mb_unit_at(hint.unit);
    if (!may_take(heap, unit) || !enter(hint, MB_SLAB_UNOWNED, MB_SLAB_CURRENT)) return NULL;
    return own_as_current(heap, unit);
}

static uint32_t free_blocks(const struct mb_slab *slab) { return slab->capacity - mb_slab_used(slab); }

// With the block that is coming.
static bool is_worth_using(const struct mb_slab *slab) {
    return slab->capacity < 2 * MB_REUSE_FRACTION || free_blocks(slab) + 1 >= slab->capacity / MB_REUSE_FRACTION;
}

// The next look is due when the slab is worth using, not only when it is empty.
static void arm(struct mb_slab *slab) {
    uint32_t used = mb_slab_used(slab);
    uint32_t missing = blocks_worth_using(slab->capacity) - free_blocks(slab);
    mb_slab_set_used(slab, used, missing < used ? missing : used);
}

// Room first, then the slab, then its entry: an entry made before the slab is ours could come to name another heap's.
MB_COLD static struct mb_slab *make_room_and_queue(struct mb_heap *heap, struct mb_unit *unit, bool is_worth) {
    struct mb_class_queues *queues = mb_queue_of(heap, MB_PEEK(unit->slab.class_index));
    if (queues == NULL || !mb_queue_make_room(heap, is_worth ? &queues->ready : &queues->waiting)) return NULL;
    return mb_own_unowned_to_queued(heap, unit);
}

struct mb_slab *mb_own_unowned_to_queued(struct mb_heap *heap, struct mb_unit *unit) {
    uint64_t word = mb_remote_load(unit), queued = mb_remote_next(word, MB_SLAB_QUEUED);
    if (mb_remote_state(word) != MB_SLAB_UNOWNED) return NULL;
    bool is_worth = is_worth_using(&unit->slab);
    if (MB_UNLIKELY(heap->queues == NULL)) return make_room_and_queue(heap, unit, is_worth);
    struct mb_class_queues *queues = &heap->queues->of_class[unit->slab.class_index];
    struct mb_queue *queue = is_worth ? &queues->ready : &queues->waiting;
    if (MB_UNLIKELY(queue->count == queue->capacity)) return make_room_and_queue(heap, unit, is_worth);
    if (!mb_remote_change(unit, word, MB_SLAB_QUEUED)) return NULL;
    mb_queue_push(queue, (struct mb_slab_hint){(uint32_t)mb_unit_index(unit), mb_remote_generation(queued)});
    if (!is_worth) arm(&unit->slab); // else the look is due when it is empty, as whoever let it go has set it
    MB_POKE(unit->slab.owner, heap->token);
    return &unit->slab;
}

// The free that led here is over: the last live blocks may come back to others any moment, who then claim the slab. So
// it is made CURRENT before anything of it is touched.
void mb_own_waiting_to_ready(struct mb_heap *heap, struct mb_unit *unit, uint64_t seen) {
    struct mb_slab_hint hint = {(uint32_t)mb_unit_index(unit), mb_remote_generation(seen)};
    if (!enter(hint, MB_SLAB_QUEUED, MB_SLAB_CURRENT)) return;
    struct mb_slab *slab = &unit->slab;
    uint32_t used = mb_slab_used(slab);
    mb_slab_set_used(slab, used, used);
    hint.generation = (hint.generation + 2) & GENERATION_MASK;
    struct mb_class_queues *queues = mb_queue_of(heap, slab->class_index);
    if (queues != NULL && mb_queue_make_room(heap, &queues->ready)) {
        mb_queue_push(&queues->ready, hint);
        mb_remote_change(unit, mb_remote_load(unit), MB_SLAB_QUEUED);
        mb_own_claim_if_free(unit);
    } else {
        mb_own_release(heap, slab);
    }
}

enum { KEEPING_HEAPS_MAX = 15 };

bool mb_own_may_keep_empty(const struct mb_unit *unit, uint64_t seen) {
    bool is_empty = mb_slab_used(&unit->slab) == 0;
    return is_empty && mb_remote_state(seen) == MB_SLAB_QUEUED && mb_heaps_in_use() <= KEEPING_HEAPS_MAX;
}

struct mb_unit *mb_own_keep_empty(struct mb_heap *heap, const struct mb_unit *unit, uint64_t seen) {
    struct mb_slab_hint *kept = &heap->queues->kept[heap->queues->kept_next++ % MB_KEPT_SLABS], older = *kept;
    *kept = (struct mb_slab_hint){(uint32_t)mb_unit_index(unit), mb_remote_generation(seen)};
    struct mb_unit *oldest = mb_unit_at(older.unit);
    return mb_remote_load(oldest) == mb_remote_word(MB_SLAB_QUEUED, older.generation) && oldest != unit ? oldest : NULL;
}

// --- leaving --------------------------------------------------------------------------------------------------------

// Only the address is used: a slab that has been let go may be another's, of another class, at once.
static void forget(struct mb_heap *heap, unsigned class_index, const struct mb_slab *slab) {
    struct mb_class_slabs *slabs = &heap->slabs;
    if (slabs->current[class_index] == slab) slabs->current[class_index] = NULL;
    if (slabs->fresh[class_index] == slab) slabs->fresh[class_index] = NULL;
}

static void give_to_arena(struct mb_unit *unit) {
    if (MB_UNLIKELY(mb_slab_freed_twice(unit) != NULL)) mb_own_meet_freed_twice(&unit->slab);
    size_t first = mb_unit_index(unit);
    uint32_t remote = mb_commons_has(unit) ? 0 : mb_slab_count_remote(unit);
    if (remote != 0) mb_heaps_note_remote_frees(remote);
    mb_slab_takedown(unit);
    if (mb_changed(first, 1) != MB_CHANGE_NONE && mb_arena_give_renewed(first, 1)) return;
    mb_arena_give(first, 1);
}

// If all blocks are free, they stay free while the state stays the same: no thread can allocate one, and none has one
// to free.
bool mb_own_claim_if_free(struct mb_unit *unit) {
    uint64_t word = mb_remote_load(unit);
    enum mb_slab_state state = mb_remote_state(word);
    if (state != MB_SLAB_QUEUED && state != MB_SLAB_UNOWNED) return false;
    if (!mb_slab_all_free(unit) || !mb_remote_change(unit, word, MB_SLAB_NONE)) return false;
    give_to_arena(unit);
    return true;
}

static void offer(struct mb_unit *unit, uint64_t word, uint32_t least) {
    uint32_t room = MB_PEEK(unit->slab.capacity) - MB_PEEK(unit->slab.carved);
    if (mb_slab_count_free(unit) + room < least) return;
    mb_pool_put(MB_PEEK(unit->slab.class_index), (struct mb_slab_hint){(uint32_t)mb_unit_index(unit), mb_remote_generation(word)});
}

// From CURRENT to UNOWNED; the word as others see it from now on. The owner's part is complete before that.
MB_INLINE uint64_t disown(struct mb_heap *heap, struct mb_slab *slab) {
    struct mb_unit *unit = mb_slab_unit(slab);
    atomic_store_explicit(&unit->shared.home, heap, memory_order_relaxed);
    MB_POKE(slab->owner, NULL);
    uint64_t word = mb_remote_load(unit);
    mb_remote_change(unit, word, MB_SLAB_UNOWNED); // nobody else changes a CURRENT slab
    return mb_remote_next(word, MB_SLAB_UNOWNED);
}

// Blocks that others freed while the slab was CURRENT are counted after that, since their threads left it to the owner.
// If at least `least` blocks are free, a hint is left for other threads.
static void leave(struct mb_heap *heap, struct mb_slab *slab, uint32_t least) {
    struct mb_unit *unit = mb_slab_unit(slab);
    collect(heap, slab);
    mb_slab_count_used(slab);
    forget(heap, slab->class_index, slab);
    uint64_t word = disown(heap, slab);
    if (!mb_own_claim_if_free(unit)) offer(unit, word, least);
}

void mb_own_release(struct mb_heap *heap, struct mb_slab *slab) { leave(heap, slab, 1); }

MB_COLD static void leave_with_remote(struct mb_unit *unit, uint64_t word) {
    uint32_t least = blocks_worth_using(MB_PEEK(unit->slab.capacity));
    if (!mb_own_claim_if_free(unit)) offer(unit, word, least);
}

// The owner has no free block of the slab left, so there is nothing to count. The remote bits stay, for the thread that
// adopts the slab; they are read where they were, whatever the unit has become since.
MB_INLINE void let_go(struct mb_heap *heap, struct mb_slab *slab, struct mb_slab_remote remote) {
    struct mb_unit *unit = mb_slab_unit(slab);
    unit->shared.served = MB_ALL_SERVED;
    mb_slab_set_used(slab, slab->carved, slab->carved);
    uint64_t word = disown(heap, slab);
    if (MB_UNLIKELY(mb_remote_any(remote))) leave_with_remote(unit, word);
}

void mb_own_let_go(struct mb_heap *heap, struct mb_slab *slab) {
    forget(heap, slab->class_index, slab);
    let_go(heap, slab, mb_slab_remote(slab));
}

// The queued slab first: when its entry is outdated, or the slab is busy, all stays as it was.
struct mb_slab *mb_own_exchange_full(struct mb_heap *heap, size_t class_index) {
    struct mb_slab *full = heap->slabs.current[class_index];
    struct mb_slab_remote remote = mb_slab_remote(full);
    if (heap->queues == NULL || full->carved < full->capacity || mb_remote_any(remote)) return NULL;
    struct mb_queue *ready = &heap->queues->of_class[class_index].ready;
    if (ready->count == 0) return NULL;
    struct mb_slab_hint hint = mb_queue_at(ready, 0);
    struct mb_unit *unit = mb_unit_at(hint.unit);
    if (!mb_remote_change(unit, mb_remote_word(MB_SLAB_QUEUED, hint.generation), MB_SLAB_CURRENT)) return NULL;
    mb_queue_drop(ready);
    come_from_queue(&unit->slab);
    heap->slabs.current[class_index] = &unit->slab;
    if (heap->slabs.fresh[class_index] == full) heap->slabs.fresh[class_index] = NULL;
    let_go(heap, full, remote);
    return &unit->slab;
}

static struct {
    _Atomic uint32_t never; // stays 0: nobody wakes who waits on it
} pause_shared;

static void wait_a_moment(void) { mb_os_wait(&pause_shared.never, 0, MOMENT_NS); }

// Who keeps a slab busy is in a system call, and does not wait for us.
static void release_queue(struct mb_heap *heap, struct mb_queue *queue) {
    struct mb_slab_hint hint;
    while (mb_queue_pop(queue, &hint)) {
        while (mb_own_is_busy(hint)) wait_a_moment();
        struct mb_slab *slab = mb_own_queued_to_current(heap, hint);
        if (slab != NULL) mb_own_release(heap, slab);
    }
}

void mb_own_release_class(struct mb_heap *heap, unsigned class_index) {
    struct mb_class_slabs *slabs = &heap->slabs;
    mb_heap_drop_mask(heap, class_index);
    if (slabs->current[class_index] != NULL) mb_own_release(heap, slabs->current[class_index]);
    if (slabs->fresh[class_index] != NULL) mb_own_release(heap, slabs->fresh[class_index]);
    if (heap->queues == NULL) return;
    release_queue(heap, &heap->queues->of_class[class_index].ready);
    release_queue(heap, &heap->queues->of_class[class_index].waiting);
}

void mb_own_release_all(struct mb_heap *heap) {
    for (unsigned c = 0; c < MB_CLASSES; c++) mb_own_release_class(heap, c);
}

// --- after fork -----------------------------------------------------------------------------------------------------

static bool take_orphan(struct mb_unit *unit) {
    const void *orphan = mb_orphan_owner();
    return __atomic_compare_exchange_n(&unit->slab.owner, &orphan, NULL, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

bool mb_own_adopt_orphan(struct mb_unit *unit) {
    if (MB_PEEK(unit->slab.owner) != mb_orphan_owner() || !take_orphan(unit)) return false;
    uint64_t word = mb_remote_load(unit);
    if (mb_remote_state(word) == MB_SLAB_NONE) return false; // all its blocks came back meanwhile
    if (!mb_remote_change(unit, word, MB_SLAB_CURRENT)) return false;
    mb_slab_rebuild(&unit->slab);
    mb_remote_change(unit, mb_remote_load(unit), MB_SLAB_UNOWNED);
    mb_own_claim_if_free(unit);
    return true;
}
