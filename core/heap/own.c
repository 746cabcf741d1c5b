#include "core/heap/own.h"

#include "core/base/check.h"
#include "core/heap/queue.h"
#include "core/heap/suspect.h"
#include "core/region/arena.h"

enum { REUSE_FRACTION = 16 };
static const uint32_t GENERATION_MASK = UINT32_MAX >> (MB_REMOTE_GENERATION_SHIFT - 32);

static void note_served(struct mb_heap *heap, uint32_t blocks) {
    uint64_t served = atomic_load_explicit(&heap->shared.blocks_served, memory_order_relaxed);
    atomic_store_explicit(&heap->shared.blocks_served, served + blocks, memory_order_relaxed);
}

static void use_chain(struct mb_heap *heap, struct mb_slab *slab, struct mb_chain chain) {
    MB_POKE(heap->current[slab->class_index], slab);
    MB_POKE(heap->head[slab->class_index], chain.head);
    note_served(heap, chain.count);
}

bool mb_own_use_local(struct mb_heap *heap, struct mb_slab *slab) {
    mb_suspect_settle(heap, slab);
    if (mb_slab_used(slab) == slab->carved + 1) return false;
    use_chain(heap, slab, mb_slab_take_local(slab));
    return true;
}

bool mb_own_use_remote(struct mb_heap *heap, struct mb_slab *slab) {
    struct mb_unit *unit = mb_slab_unit(slab);
    mb_suspect_settle(heap, slab);
    uint64_t word = mb_remote_collect(unit);
    if (mb_remote_count(word) == 0) return mb_own_use_local(heap, slab);
    uintptr_t head = mb_remote_head_address(word, mb_slab_start(unit));
    use_chain(heap, slab, (struct mb_chain){head, mb_remote_count(word)});
    return true;
}

bool mb_own_use_carved(struct mb_heap *heap, struct mb_slab *slab) {
    struct mb_chain chain = mb_slab_carve(slab);
    if (chain.count == 0) return false;
    use_chain(heap, slab, chain);
    return true;
}

// --- arriving -------------------------------------------------------------------------------------------------------

// Changes the state of the hinted slab, however often pushes of other threads move its list meanwhile.
static bool enter(struct mb_slab_hint hint, enum mb_slab_state from, enum mb_slab_state to) {
    struct mb_unit *unit = mb_unit_at(hint.unit);
    for (;;) {
        uint64_t word = mb_remote_load(unit);
        if (mb_remote_generation(word) != hint.generation || mb_remote_state(word) != from) return false;
        if (mb_remote_change(unit, word, to)) return true;
    }
}

static struct mb_slab *own_as_current(struct mb_heap *heap, struct mb_unit *unit) {
    struct mb_slab *slab = &unit->slab;
    uint32_t used = mb_slab_used(slab) + 1;
    mb_slab_set_used(slab, used, used);
    MB_POKE(slab->owner, heap);
    return slab;
}

struct mb_slab *mb_own_queued_to_current(struct mb_heap *heap, struct mb_slab_hint hint) {
    if (!enter(hint, MB_SLAB_QUEUED, MB_SLAB_CURRENT)) return NULL;
    return own_as_current(heap, mb_unit_at(hint.unit));
}

struct mb_slab *mb_own_unowned_to_current(struct mb_heap *heap, struct mb_slab_hint hint) {
    if (!enter(hint, MB_SLAB_UNOWNED, MB_SLAB_CURRENT)) return NULL;
    return own_as_current(heap, mb_unit_at(hint.unit));
}

// A slab is worth using again when a page's worth of its blocks is free: then the cost of the change is spread over them.
// Random frees over a large heap would otherwise bring every slab back for one block (measured with 1e6 live blocks: 2.3x the time).
static uint32_t blocks_worth_using(const struct mb_slab *slab) {
    return slab->capacity < REUSE_FRACTION ? 1 : slab->capacity / REUSE_FRACTION;
}

static uint32_t free_blocks(const struct mb_slab *slab) { return slab->capacity - mb_slab_used(slab); }

static bool is_worth_using(const struct mb_slab *slab) { return free_blocks(slab) >= blocks_worth_using(slab); }

// The next look is due when the slab is worth using, or, if it is already, when it is empty. At least one block is coming.
static void arm(struct mb_slab *slab) {
    uint32_t used = mb_slab_used(slab);
    uint32_t missing = is_worth_using(slab) ? used : blocks_worth_using(slab) - free_blocks(slab);
    mb_slab_set_used(slab, used, missing < used ? missing : used);
}

struct mb_slab *mb_own_unowned_to_queued(struct mb_heap *heap, struct mb_unit *first) {
    uint64_t word = mb_remote_load(first);
    if (mb_remote_state(word) != MB_SLAB_UNOWNED) return NULL;
    struct mb_slab_hint hint = {(uint32_t)mb_unit_index(first), (mb_remote_generation(word) + 1) & GENERATION_MASK};
    struct mb_queue *queue = is_worth_using(&first->slab) ? heap->ready : heap->waiting;
    queue += first->slab.class_index;
    // Room first, then the slab, then its entry: an entry made before the slab is ours could come to name another heap's.
    if (!mb_queue_make_room(heap, queue) || !mb_remote_change(first, word, MB_SLAB_QUEUED)) return NULL;
    mb_queue_push(queue, hint);
    arm(&first->slab);
    MB_POKE(first->slab.owner, heap);
    return &first->slab;
}

// The free that led here is over: the last live blocks may come back to others any moment, who then claim the slab. So it is
// made CURRENT before anything of it is touched.
void mb_own_waiting_to_ready(struct mb_heap *heap, struct mb_unit *unit, uint64_t seen) {
    struct mb_slab_hint hint = {(uint32_t)mb_unit_index(unit), mb_remote_generation(seen)};
    if (!enter(hint, MB_SLAB_QUEUED, MB_SLAB_CURRENT)) return;
    struct mb_slab *slab = &unit->slab;
    uint32_t used = mb_slab_used(slab);
    mb_slab_set_used(slab, used, used);
    hint.generation = (hint.generation + 2) & GENERATION_MASK;
    struct mb_queue *queue = &heap->ready[slab->class_index];
    if (mb_queue_make_room(heap, queue)) {
        mb_queue_push(queue, hint);
        while (!mb_remote_change(unit, mb_remote_load(unit), MB_SLAB_QUEUED)) continue;
    } else {
        mb_slab_set_used(slab, used + 1, used + 1);
        mb_own_release(heap, slab);
    }
}

// --- leaving --------------------------------------------------------------------------------------------------------

// Only the address is used: a slab that has been let go may be another's, of another class, at once.
static void forget(struct mb_heap *heap, unsigned class_index, const struct mb_slab *slab) {
    if (heap->current[class_index] == slab) MB_POKE(heap->current[class_index], NULL);
    if (heap->fresh[class_index] == slab) heap->fresh[class_index] = NULL;
}

// From CURRENT to UNOWNED. The owner's part is complete before the word changes.
static bool leave(struct mb_heap *heap, struct mb_slab *slab, uint64_t seen) {
    struct mb_unit *unit = mb_slab_unit(slab);
    uint32_t used = mb_slab_used(slab) - 1;
    mb_slab_set_used(slab, used, used);
    atomic_store_explicit(&unit->shared.home, heap, memory_order_relaxed);
    MB_POKE(slab->owner, NULL);
    if (mb_remote_change(unit, seen, MB_SLAB_UNOWNED)) return true;
    MB_POKE(slab->owner, heap);
    mb_slab_set_used(slab, used + 1, used + 1);
    return false;
}

bool mb_own_current_to_unowned(struct mb_heap *heap, struct mb_slab *slab) {
    unsigned class_index = slab->class_index;
    uint64_t word = mb_remote_load(mb_slab_unit(slab));
    if (mb_remote_count(word) != 0 || !leave(heap, slab, word)) return false;
    forget(heap, class_index, slab);
    return true;
}

bool mb_own_is_claimable(const struct mb_unit *first, uint64_t word) {
    enum mb_slab_state state = mb_remote_state(word);
    return (state == MB_SLAB_QUEUED || state == MB_SLAB_UNOWNED) &&
           mb_remote_count(word) == mb_slab_used(&first->slab);
}

static void give_to_arena(struct mb_unit *first) {
    size_t units = first->slab.units;
    mb_slab_takedown(first);
    mb_arena_give(mb_unit_index(first), units);
}

bool mb_own_claim(struct mb_unit *first, uint64_t seen) {
    mb_suspect_inspect(first);
    if (!mb_remote_change(first, seen, MB_SLAB_NONE)) return false;
    give_to_arena(first);
    return true;
}

static void offer(struct mb_unit *first, uint64_t word) {
    uint32_t live = mb_slab_used(&first->slab) - mb_remote_count(word);
    if (live == MB_PEEK(first->slab.capacity)) return;
    mb_pool_put(MB_PEEK(first->slab.class_index),
                (struct mb_slab_hint){(uint32_t)mb_unit_index(first), mb_remote_generation(word)});
}

void mb_own_release(struct mb_heap *heap, struct mb_slab *slab) {
    struct mb_unit *unit = mb_slab_unit(slab);
    unsigned class_index = slab->class_index;
    mb_suspect_settle(heap, slab);
    uint64_t word;
    do {
        word = mb_remote_load(unit);
    } while (!leave(heap, slab, word));
    forget(heap, class_index, slab);
    word = mb_remote_load(unit);
    if (mb_own_is_claimable(unit, word) && mb_own_claim(unit, word)) return;
    if (mb_remote_state(word) == MB_SLAB_UNOWNED) offer(unit, word);
}

static void release_list(struct mb_heap *heap, unsigned class_index) {
    uintptr_t head = heap->head[class_index];
    if (head == (uintptr_t)&mb_sentinel) return;
    MB_POKE(heap->head[class_index], (uintptr_t)&mb_sentinel);
    MB_REQUIRE(mb_slab_return_chain(heap->current[class_index], head), "corrupted free list link", (void *)head);
}

static void release_queue(struct mb_heap *heap, struct mb_queue *queue) {
    struct mb_slab_hint hint;
    while (mb_queue_pop(queue, &hint)) {
        struct mb_slab *slab = mb_own_queued_to_current(heap, hint);
        if (slab != NULL) mb_own_release(heap, slab);
    }
}

static void release_class(struct mb_heap *heap, unsigned class_index) {
    release_list(heap, class_index);
    if (heap->current[class_index] != NULL) mb_own_release(heap, heap->current[class_index]);
    if (heap->fresh[class_index] != NULL) mb_own_release(heap, heap->fresh[class_index]);
    release_queue(heap, &heap->ready[class_index]);
    release_queue(heap, &heap->waiting[class_index]);
}

void mb_own_release_all(struct mb_heap *heap) {
    for (unsigned c = 0; c < MB_CLASSES; c++) release_class(heap, c);
}

// --- after fork -----------------------------------------------------------------------------------------------------

static bool take_orphan(struct mb_unit *first) {
    struct mb_heap *orphan = mb_orphan_owner();
    return __atomic_compare_exchange_n(&first->slab.owner, &orphan, NULL, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

bool mb_own_adopt_orphan(struct mb_unit *first) {
    if (MB_PEEK(first->slab.owner) != mb_orphan_owner() || !take_orphan(first)) return false;
    uint64_t word;
    do {
        word = mb_remote_load(first);
        if (mb_remote_state(word) == MB_SLAB_NONE) return false; // all its blocks came back meanwhile
    } while (!mb_remote_change(first, word, MB_SLAB_CURRENT));
    mb_slab_rebuild(&first->slab, first->slab.orphan_list);
    first->slab.orphan_list = 0;
    while (!mb_remote_change(first, mb_remote_load(first), MB_SLAB_UNOWNED)) continue;
    return true;
}
