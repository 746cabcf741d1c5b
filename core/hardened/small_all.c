// All small blocks: the start, counting, looking at each, and after a fork putting them in order.
#include <string.h>

#include "core/hardened/record.h"
#include "core/hardened/slot.h"
#include "core/hardened/small.h"
#include "core/hardened/small_class.h"
#include "core/region/arena.h"
#include "platform/bits.h"

struct mb_hard_class_shared *mb_hard_classes MB_SEALED;

// --- start -----------------------------------------------------------------------------------------------------------

static uint32_t delay_of(unsigned class_index, size_t budget_bytes) {
    size_t delay = mb_max(MB_HARD_DELAY_MIN, budget_bytes / mb_hard_slot_bytes(class_index));
    return (uint32_t)mb_min(delay, INT16_MAX);
}

bool mb_hard_small_init(uint64_t seed, size_t budget_bytes) {
    struct mb_rng rng = {seed};
    mb_hard_classes = mb_arena_metadata(MB_HARD_CLASS_NUMBERS * sizeof *mb_hard_classes, MB_LINE_PAIR);
    if (mb_hard_classes == NULL) return false;
    for (unsigned i = 0; i < MB_HARD_CLASS_NUMBERS; i++) {
        struct mb_hard_class_shared *class = &mb_hard_classes[i];
        class->lock.rank = MB_RANK_HARDENED;
        class->rng.state = mb_rng_next(&rng);
        class->delay = delay_of(i / MB_HARD_SHARDS, budget_bytes);
    }
    return true;
}

static struct mb_hard_slab *slab_in(size_t unit_index) {
    struct mb_unit *unit = mb_unit_at(unit_index);
    return mb_unit_kind(unit) == MB_UNIT_HARD_SLAB ? mb_hard_slab_of(unit) : NULL;
}

// --- counting --------------------------------------------------------------------------------------------------------

// Without a lock: a near picture, as of any statistics.
static void count_slab(const struct mb_hard_slab *slab, struct mb_hard_small_totals *out) {
    const uint64_t *live_bits = MB_PEEK(slab->live);
    uint32_t slots = mb_hard_slots_of((unsigned)mb_min(MB_PEEK(slab->class_index), MB_HARD_ZERO_CLASS));
    out->slabs++;
    for (uint32_t slot = 0; slot < slots; slot++) {
        if (!mb_hard_bit(live_bits, slot) || MB_PEEK(slab->notes[slot]) == MB_HARD_NOTE_LOST) continue;
        out->blocks++;
        out->bytes += MB_PEEK(slab->notes[slot]);
    }
}

void mb_hard_small_count(struct mb_hard_small_totals *out) {
    size_t end = mb_arena_units();
    *out = (struct mb_hard_small_totals){0};
    for (size_t i = 0; i < end; i++) {
        const struct mb_hard_slab *slab = slab_in(i);
        if (slab != NULL) count_slab(slab, out);
    }
    for (unsigned i = 0; i < MB_HARD_CLASS_NUMBERS; i++) out->served += MB_PEEK(mb_hard_classes[i].count);
}

bool mb_hard_small_freed_ago(struct mb_hard_slab *slab, uint32_t slot, uint64_t *blocks) {
    uint64_t count = MB_PEEK(mb_hard_class_of(slab)->count);
    bool known = mb_hard_bit(slab->used, slot) && !mb_hard_bit(slab->live, slot) && count <= UINT16_MAX;
    if (known) *blocks = count - MB_PEEK(slab->notes[slot]);
    return known;
}

// --- looking at all --------------------------------------------------------------------------------------------------

typedef void found_fault(enum mb_hard_fault fault, const void *p);

static enum mb_hard_fault examine(struct mb_hard_slab *slab, uint32_t slot) {
    if (slab->notes[slot] == MB_HARD_NOTE_LOST && mb_hard_bit(slab->live, slot)) return MB_HARD_FINE;
    if (mb_hard_bit(slab->live, slot)) return mb_hard_slab_examine(slab, mb_hard_slot(slab, slot), &(uint32_t){0});
    return mb_hard_slot_is_clean(slab, slot, mb_hard_slot(slab, slot)) ? MB_HARD_FINE : MB_HARD_WRITTEN;
}

static size_t sweep_slab(struct mb_hard_slab *slab, found_fault *found) {
    size_t count = 0;
    for (uint32_t slot = 0; slot < slab->opened; slot++) {
        enum mb_hard_fault fault = examine(slab, slot);
        if (fault == MB_HARD_FINE) continue;
        found(fault, mb_hard_slot(slab, slot));
        count++;
    }
    return count;
}

static void visit_slab(struct mb_hard_slab *slab, void (*visit)(struct mb_trace *made, size_t bytes)) {
    for (uint32_t slot = 0; slot < slab->opened; slot++) {
        bool live = mb_hard_bit(slab->live, slot) && slab->notes[slot] != MB_HARD_NOTE_LOST;
        if (live) visit(slab->pasts != NULL ? slab->pasts[slot].made : NULL, slab->notes[slot]);
    }
}

// The lock of the class, if the unit is a slab; NULL: it is none.
static struct mb_hard_class_shared *lock_slab_in(size_t unit_index) {
    struct mb_hard_slab *slab = slab_in(unit_index);
    if (slab == NULL) return NULL;
    struct mb_hard_class_shared *class = mb_hard_class_of(slab);
    mb_lock(&class->lock);
    if (slab_in(unit_index) == slab && mb_hard_class_of(slab) == class) return class;
    mb_unlock(&class->lock);
    return NULL;
}

size_t mb_hard_small_sweep(found_fault *found) {
    size_t end = mb_arena_units(), count = 0;
    for (size_t i = 0; i < end; i++) {
        struct mb_hard_class_shared *class = lock_slab_in(i);
        if (class == NULL) continue;
        count += sweep_slab(slab_in(i), found);
        mb_unlock(&class->lock);
    }
    return count;
}

void mb_hard_small_visit(void (*visit)(struct mb_trace *made, size_t bytes)) {
    size_t end = mb_arena_units();
    for (size_t i = 0; i < end; i++) {
        struct mb_hard_class_shared *class = lock_slab_in(i);
        if (class == NULL) continue;
        visit_slab(slab_in(i), visit);
        mb_unlock(&class->lock);
    }
}

// --- after fork ------------------------------------------------------------------------------------------------------

// Completes what an absent thread had begun: a block that was being freed is free; a slot that was being allocated is
// either free as before or stays allocated for good.
static void finish(struct mb_hard_class_shared *class) {
    char *p = (char *)(class->in_hand & ~(uintptr_t)MB_HARD_DEEDS);
    enum mb_hard_deed deed = (enum mb_hard_deed)(class->in_hand & MB_HARD_DEEDS);
    class->in_hand = 0;
    if (p == NULL || mb_unit_kind(mb_unit_of(p)) != MB_UNIT_HARD_SLAB) return;
    struct mb_hard_slab *slab = mb_hard_slab_of(mb_unit_of(p));
    if (slab->class_index == MB_HARD_ZERO_CLASS) return;
    bool start;
    uint32_t slot = mb_hard_slot_at(slab, mb_unit_offset(p), &start);
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if (mb_hard_is_big(slab->slot_bytes)) mb_hard_slot_open(slab, slot); // it may be shut without being noted so
    if (deed == MB_HARD_TAKES && (slab->live[slot / 64] & bit) != 0) {
        memset(p + slab->notes[slot], 0, slab->slot_bytes - slab->notes[slot]);
        mb_slack_fill(slab->salt, p, slab->notes[slot], slab->slot_bytes);
        return;
    }
    memset(p, 0, slab->slot_bytes);
    slab->live[slot / 64] &= ~bit;
    slab->used[slot / 64] |= bit;
    slab->notes[slot] = (uint16_t) class->count;
}

static void start_anew(struct mb_hard_class_shared *class, struct mb_rng *rng) {
    mb_lock_reset(&class->lock);
    finish(class);
    class->rng.state = mb_rng_next(rng);
    class->current = NULL;
    class->drawn_count = 0;
    class->first = class->last = 0;
    class->slabs = class->empties = 0;
}

// Those that a class had drawn and not handed out yet among them.
static uint64_t never_used(const struct mb_hard_slab *slab, uint32_t word) {
    uint32_t opened = slab->opened > word * 64 ? slab->opened - word * 64 : 0;
    return (opened < 64 ? (UINT64_C(1) << opened) - 1 : ~UINT64_C(0)) & ~slab->used[word];
}

static void enlist(struct mb_hard_slab *slab) {
    struct mb_hard_class_shared *class = mb_hard_class_of(slab);
    slab->live_count = 0;
    slab->ready_words = 0;
    for (uint32_t word = 0; word * 64 < slab->slots; word++) {
        slab->live_count += mb_popcount64(slab->live[word]);
        slab->ready[word] = (slab->ready[word] | never_used(slab, word)) & ~slab->live[word];
        slab->ready_words |= (uint64_t)(slab->ready[word] != 0) << word;
    }
    class->slabs++;
    slab->listed = false;
    if (!mb_hard_is_full(slab)) mb_hard_class_append(class, slab);
}

void mb_hard_small_recover(uint64_t seed) {
    struct mb_rng rng = {seed};
    size_t end = mb_arena_units();
    mb_hard_records_recover();
    for (unsigned i = 0; i < MB_HARD_CLASS_NUMBERS; i++) start_anew(&mb_hard_classes[i], &rng);
    for (size_t i = 0; i < end; i++) {
        struct mb_hard_slab *slab = slab_in(i);
        if (slab != NULL) enlist(slab);
    }
}
