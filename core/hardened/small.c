#include "core/hardened/small.h"

#include <stdatomic.h>
#include <string.h>

#include "core/base/lock.h"
#include "core/base/thread_number.h"
#include "core/hardened/record.h"
#include "core/hardened/small_class.h"
#include "core/hardened/waiting.h"
#include "core/hardened/wall.h"
#include "core/hardened/wrong.h"
#include "core/region/arena.h"
#include "core/region/changed.h"
#include "platform/atomic.h"
#include "platform/bits.h"
#include "platform/os.h"
#include "platform/thread.h"

enum { LOOKS = 4, EMPTY_SHARE = 8 };

// --- the lock ---------------------------------------------------------------------------------------------------------

// The only thread needs none. Nor does who reports a fault: a handler of SIGABRT may allocate.
static bool enter(struct mb_hard_class_shared *class) {
    if (mb_thread_is_only() || mb_hard_is_ending()) return false;
    mb_lock(&class->lock);
    return true;
}

static void leave(struct mb_hard_class_shared *class, bool locked) {
    if (locked) mb_unlock(&class->lock);
}

// What a forked child finishes if its other threads stopped in between.
static void take_in_hand(struct mb_hard_class_shared *class, const char *slot, enum mb_hard_deed deed) {
    __atomic_store_n(&class->in_hand, (uintptr_t)slot | (uintptr_t)deed, __ATOMIC_RELAXED);
    mb_release_fence(); // before what is done to the slot
}
static void let_go(struct mb_hard_class_shared *class) { __atomic_store_n(&class->in_hand, 0, __ATOMIC_RELEASE); }

// --- lists ------------------------------------------------------------------------------------------------------------

static uint32_t number_of(struct mb_hard_slab *slab) { return (uint32_t)mb_unit_index(mb_hard_slab_unit(slab)) + 1; }
static struct mb_hard_slab *slab_at(uint32_t number) { return number == 0 ? NULL : mb_hard_slab_of(mb_unit_at(number - 1)); }

void mb_hard_class_append(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    uint32_t number = number_of(slab);
    struct mb_hard_slab *last = slab_at(class->last);
    slab->next = 0;
    slab->previous = class->last;
    if (last != NULL)
        last->next = number;
    else
        class->first = number;
    class->last = number;
    slab->listed = true;
    if (slab->live_count == 0) class->empties++;
}

static void unlink_slab(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    struct mb_hard_slab *next = slab_at(slab->next), *previous = slab_at(slab->previous);
    if (next != NULL)
        next->previous = slab->previous;
    else
        class->last = slab->previous;
    if (previous != NULL)
        previous->next = slab->next;
    else
        class->first = slab->next;
    slab->listed = false;
    if (slab->live_count == 0) class->empties--;
}

// --- whole slabs ------------------------------------------------------------------------------------------------------

static bool take_unit(struct mb_span *span) {
    if (mb_arena_take(1, 1, span)) return true;
    if (mb_hard_waiting_flush() && mb_arena_take(1, 1, span)) return true;
    mb_arena_shortage_enter();
    mb_arena_decommit_all();
    bool taken = mb_arena_take(1, 1, span);
    mb_arena_shortage_leave();
    return taken;
}

static struct mb_hard_slab *make_slab(struct mb_hard_class_shared *class, unsigned class_index, unsigned shard) {
    struct mb_span span;
    void *record = mb_hard_record_take(class_index);
    if (record == NULL) return NULL;
    if (!take_unit(&span)) {
        mb_hard_record_give(class_index, record);
        return NULL;
    }
    if (!span.zero) memset((void *)mb_unit_address(span.first), 0, MB_UNIT_BYTES);
    class->slabs++;
    return mb_hard_slab_set_up(span.first, class_index, shard, mb_rng_next(&class->rng), record);
}

static void retire(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    struct mb_unit *unit = mb_hard_slab_unit(slab);
    bool touchable = slab->class_index != MB_HARD_ZERO_CLASS;
    struct mb_hard_gone gone = {.first = mb_unit_index(unit),
                                .units = 1,
                                .accesses = slab->wall == MB_WALL_ACCESS,
                                .touchable = touchable ? mb_hard_slot(slab, 0) : NULL};
    uint32_t dirty = touchable ? mb_hard_slab_find_dirty(slab) : MB_HARD_NO_SLOT;
    if (dirty != MB_HARD_NO_SLOT) mb_hard_wrong_written(mb_hard_slot(slab, dirty));
    unlink_slab(class, slab);
    class->slabs--;
    mb_unit_set_kind(unit, MB_UNIT_NONE);
    mb_hard_record_give(slab->class_index, slab->live);
    mb_hard_wait(&gone);
}

// --- taking -----------------------------------------------------------------------------------------------------------

static uint32_t pick(struct mb_hard_class_shared *class, struct mb_hard_slab *slab) {
    return mb_hard_slab_pick(slab, &class->rng, (uint32_t) class->count, class->delay);
}

static void leave_current(struct mb_hard_class_shared *class) {
    struct mb_hard_slab *slab = slab_at(class->current);
    class->current = 0;
    if (slab != NULL && !mb_hard_is_full(slab)) mb_hard_class_append(class, slab);
}

static uint32_t pick_from_list(struct mb_hard_class_shared *class) {
    for (int looks = 0; looks < LOOKS && class->first != 0; looks++) {
        struct mb_hard_slab *slab = slab_at(class->first);
        unlink_slab(class, slab);
        class->current = number_of(slab);
        uint32_t slot = pick(class, slab);
        if (slot != MB_HARD_NO_SLOT) return slot;
        leave_current(class);
    }
    return MB_HARD_NO_SLOT;
}

static uint32_t pick_from_new(struct mb_hard_class_shared *class, unsigned class_index, unsigned shard) {
    struct mb_hard_slab *slab = make_slab(class, class_index, shard);
    if (slab == NULL) return MB_HARD_NO_SLOT;
    class->current = number_of(slab);
    return pick(class, slab);
}

// A slot of what is the current slab then.
static uint32_t find_slot(struct mb_hard_class_shared *class, unsigned class_index, unsigned shard) {
    struct mb_hard_slab *slab = slab_at(class->current);
    uint32_t slot = slab != NULL ? pick(class, slab) : MB_HARD_NO_SLOT;
    if (MB_LIKELY(slot != MB_HARD_NO_SLOT)) return slot;
    leave_current(class);
    slot = pick_from_list(class);
    return slot != MB_HARD_NO_SLOT ? slot : pick_from_new(class, class_index, shard);
}

// A slot that somebody has written to is reported, and never handed out.
static bool is_clean(struct mb_hard_slab *slab, uint32_t slot) {
    if (MB_LIKELY(mb_hard_slot_is_clean(slab, slot))) return true;
    mb_hard_wrong_written(mb_hard_slot(slab, slot));
    mb_hard_slot_take(slab, slot, 0);
    slab->notes[slot] = MB_HARD_NOTE_LOST;
    return false;
}

static void *take(struct mb_hard_class_shared *class, unsigned class_index, unsigned shard, size_t bytes, struct mb_trace *here) {
    for (;;) {
        uint32_t slot = find_slot(class, class_index, shard);
        if (slot == MB_HARD_NO_SLOT) return NULL;
        struct mb_hard_slab *slab = slab_at(class->current);
        if (!is_clean(slab, slot)) continue;
        char *p = mb_hard_slot(slab, slot);
        take_in_hand(class, p, MB_HARD_TAKES);
        mb_hard_slot_take(slab, slot, bytes);
        let_go(class);
        if (MB_UNLIKELY(slab->pasts != NULL)) mb_hard_past_made(&slab->pasts[slot], here);
        class->count++;
        class->held_bytes -= mb_min(class->held_bytes, slab->slot_bytes);
        return p;
    }
}

void *mb_hard_small_alloc(unsigned class_index, size_t bytes) {
    unsigned shard = mb_thread_number() % (bytes < MB_HARD_HALF_SHARDS_MIN ? MB_HARD_SHARDS : MB_HARD_SHARDS / 2);
    struct mb_hard_class_shared *class = mb_hard_class_at(shard, class_index);
    struct mb_trace *here = mb_trace_here();
    bool locked = enter(class);
    void *p = take(class, class_index, shard, bytes, here);
    leave(class, locked);
    return p;
}

// --- a block of somebody's ----------------------------------------------------------------------------------------------

struct visit {
    struct mb_hard_class_shared *class;
    struct mb_hard_slab *slab;
    uint32_t slot;
    bool locked;
    struct mb_trace *here;
};

// With the lock of the slab's class, if the unit is a slab of it (still).
static enum mb_hard_fault visit(struct mb_unit *unit, const void *p, struct visit *out) {
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    out->slab = slab;
    out->class = mb_hard_class_at(MB_PEEK(slab->shard) % MB_HARD_SHARDS, mb_min(MB_PEEK(slab->class_index), MB_HARD_ZERO_CLASS));
    out->locked = enter(out->class);
    if (mb_unit_kind(unit) != MB_UNIT_HARD_SLAB || mb_hard_class_at(slab->shard, slab->class_index) != out->class) return MB_HARD_FREED;
    return mb_hard_slab_examine(slab, mb_unit_offset(p), &out->slot);
}

static void hold_or_drop(struct mb_hard_class_shared *class, struct mb_hard_slab *slab, uint32_t slot) {
    if (slab->slot_bytes < MB_HARD_DROPPED_MIN) return;
    if (class->held_bytes + slab->slot_bytes > MB_HARD_HELD_MAX)
        mb_hard_slot_drop(slab, slot);
    else
        class->held_bytes += slab->slot_bytes;
}

// As many as a class of short-lived blocks uses in turn.
static uint32_t empties_to_keep(const struct mb_hard_class_shared *class, const struct mb_hard_slab *slab) {
    return 1 + class->slabs / EMPTY_SHARE + class->delay / slab->slots;
}

static void give(struct visit *v) {
    struct mb_hard_class_shared *class = v->class;
    struct mb_hard_slab *slab = v->slab;
    if (MB_UNLIKELY(slab->pasts != NULL)) mb_hard_past_freed(&slab->pasts[v->slot], v->here);
    take_in_hand(class, mb_hard_slot(slab, v->slot), MB_HARD_GIVES);
    mb_hard_slot_give(slab, v->slot, (uint32_t) class->count);
    hold_or_drop(class, slab, v->slot);
    let_go(class);
    if (number_of(slab) == class->current) return;
    if (!slab->listed)
        mb_hard_class_append(class, slab);
    else if (slab->live_count == 0)
        class->empties++;
    if (slab->live_count == 0 && class->empties > empties_to_keep(class, slab)) retire(class, slab);
}

// What the program has done to the pages of its block ends with it: they can be read and written again.
MB_COLD static void open_pages(struct mb_unit *unit, const void *p) {
    size_t page = mb_os_page_size();
    uintptr_t from = mb_align_down((uintptr_t)p, page), to = mb_align_up((uintptr_t)p + MB_PEEK(mb_hard_slab_of(unit)->slot_bytes), page);
    uintptr_t end = mb_unit_address(mb_unit_index(unit)) + MB_UNIT_BYTES - page; // before the guard
    if (MB_PEEK(mb_hard_slab_of(unit)->class_index) == MB_HARD_ZERO_CLASS) return;
    mb_os_commit((void *)from, mb_min(to, end) - from);
}

enum mb_hard_fault mb_hard_small_free(struct mb_unit *unit, const void *p) {
    struct visit v = {.here = mb_trace_here()};
    if (mb_changed(mb_unit_index(unit), 1) == MB_CHANGE_STATE) open_pages(unit, p);
    enum mb_hard_fault fault = visit(unit, p, &v);
    if (MB_LIKELY(fault == MB_HARD_FINE)) give(&v);
    leave(v.class, v.locked);
    return fault;
}

enum mb_hard_fault mb_hard_small_length(struct mb_unit *unit, const void *p, size_t *bytes) {
    struct visit v;
    enum mb_hard_fault fault = visit(unit, p, &v);
    if (fault == MB_HARD_FINE) *bytes = v.slab->notes[v.slot];
    leave(v.class, v.locked);
    return fault;
}

// The same class, which an aligned block may have from its alignment: it stays if it loses less than a quarter.
static bool stays(const struct mb_hard_slab *slab, size_t bytes, enum mb_hard_will will) {
    unsigned class_index;
    if (bytes == 0 || bytes + MB_SLACK_MIN > slab->slot_bytes || slab->class_index == MB_HARD_ZERO_CLASS) return false;
    if (will == MB_HARD_MUST) return true;
    if (!mb_hard_small_class_of(MB_GRANULE, bytes, &class_index)) return false;
    return mb_hard_slot_bytes(class_index) >= slab->slot_bytes - slab->slot_bytes / 4;
}

enum mb_hard_fault mb_hard_small_resize(struct mb_unit *unit, const void *p, struct mb_hard_resize *how) {
    struct visit v;
    enum mb_hard_fault fault = visit(unit, p, &v);
    if (fault == MB_HARD_FINE || fault == MB_HARD_OVERFLOW || fault == MB_HARD_UNDERFLOW) how->old_bytes = v.slab->notes[v.slot];
    if (fault == MB_HARD_FINE) how->done = how->bytes == how->old_bytes || stays(v.slab, how->bytes, how->will);
    if (fault == MB_HARD_FINE && how->done) {
        take_in_hand(v.class, p, MB_HARD_TAKES);
        mb_hard_slot_resize(v.slab, v.slot, how->bytes);
        let_go(v.class);
    }
    leave(v.class, v.locked);
    return fault;
}

bool mb_hard_small_class_slow(size_t align, size_t bytes, unsigned *class_index) {
    if (bytes > MB_MEDIUM_MAX || (bytes == 0 && align > MB_GRANULE)) return false;
    size_t rounded = mb_bytes_to_align(mb_max(align, MB_GRANULE), bytes + MB_SLACK_MIN);
    if (rounded > MB_MEDIUM_MAX) return false;
    *class_index = bytes == 0 ? MB_HARD_ZERO_CLASS : mb_class_of(rounded);
    return mb_hard_slots_of(*class_index) > 0;
}

// --- giving back ------------------------------------------------------------------------------------------------------

static bool retire_empties(struct mb_hard_class_shared *class) {
    uint32_t before = class->slabs;
    for (struct mb_hard_slab *slab = slab_at(class->first); slab != NULL && class->empties > 0;) {
        struct mb_hard_slab *next = slab_at(slab->next);
        if (slab->live_count == 0) retire(class, slab);
        slab = next;
    }
    return class->slabs < before;
}

bool mb_hard_small_trim(void) {
    bool any = false;
    for (unsigned i = 0; i < MB_HARD_SHARDS * MB_HARD_CLASSES; i++) {
        bool locked = enter(&mb_hard_classes[i]);
        leave_current(&mb_hard_classes[i]);
        any |= retire_empties(&mb_hard_classes[i]);
        leave(&mb_hard_classes[i], locked);
    }
    return any;
}
