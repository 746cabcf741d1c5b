#include "core/hardened/small.h"

#include "core/base/thread_number.h"
#include "core/hardened/slot.h"
#include "core/hardened/small_class.h"
#include "core/hardened/wrong.h"
#include "core/region/changed.h"
#include "platform/bits.h"
#include "platform/os.h"

enum { EMPTY_SHARE = 8 };

// --- taking ----------------------------------------------------------------------------------------------------------

// It is never handed out.
MB_COLD static bool lose(struct mb_hard_slab *slab, uint32_t slot) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    slab->notes[slot] = MB_HARD_NOTE_LOST;
    slab->used[slot / 64] |= bit;
    slab->live[slot / 64] |= bit;
    slab->live_count++;
    return false;
}

// A slot that was written to while free is reported and never used again; so is one that the system leaves shut.
MB_NOINLINE static bool is_usable_slow(struct mb_hard_slab *slab, uint32_t slot, const char *p) {
    bool clean = mb_hard_slot_is_clean(slab, slot, p);
    if (MB_UNLIKELY(mb_hard_is_shut(slab, slot)) && !mb_hard_slot_open(slab, slot)) return lose(slab, slot);
    if (MB_LIKELY(clean)) return true;
    mb_hard_wrong_written(p);
    return lose(slab, slot);
}
MB_INLINE bool is_usable(struct mb_hard_slab *slab, uint32_t slot, const char *p) {
    return MB_LIKELY(slab->plain && mb_slack_is_zero_slot(p, slab->slot_bytes)) || is_usable_slow(slab, slot, p);
}

// What is noted of a slot that is not plain.
MB_NOINLINE static void note_taken(struct mb_hard_class_shared *class, struct mb_hard_slab *slab, uint32_t slot, struct mb_trace *here) {
    if (slab->pasts != NULL) mb_hard_past_made(&slab->pasts[slot], here);
    if (mb_hard_is_big(slab->slot_bytes)) class->held_bytes -= mb_min(class->held_bytes, slab->slot_bytes);
}

static void *take(struct mb_hard_class_shared *class, size_t bytes, struct mb_trace *here) {
    for (;;) {
        if (MB_UNLIKELY(class->drawn_count == 0) && !mb_hard_class_draw_slow(class)) return NULL;
        struct mb_hard_slab *slab = class->current;
        uint32_t slot = class->drawn[--class->drawn_count];
        char *p = mb_hard_slot(slab, slot);
        if (MB_UNLIKELY(!is_usable(slab, slot, p))) continue;
        mb_hard_class_take_in_hand(class, p, MB_HARD_TAKES);
        mb_hard_slot_take(slab, slot, p, bytes);
        mb_hard_class_let_go(class);
        class->count++;
        if (MB_UNLIKELY(!slab->plain)) note_taken(class, slab, slot, here);
        return p;
    }
}

void *mb_hard_small_alloc(unsigned class_index, size_t bytes) {
    unsigned shards = bytes < MB_HARD_HALF_SHARDS_MIN ? MB_HARD_SHARDS : MB_HARD_SHARDS / 2;
    struct mb_hard_class_shared *class = &mb_hard_classes[mb_hard_class_number(mb_thread_number() & (shards - 1), class_index)];
    struct mb_trace *here = mb_trace_here();
    bool locked = mb_hard_class_enter(class);
    void *p = take(class, bytes, here);
    mb_hard_class_leave(class, locked);
    return p;
}

// --- a block of the program ------------------------------------------------------------------------------------------

// With the lock of the slab's class, if the unit is a slab of it (still): the only thread has just seen that.
MB_INLINE enum mb_hard_fault examine(struct mb_hard_slab *slab, struct mb_hard_class_shared *class, const void *p, uint32_t *slot) {
    if (MB_LIKELY(mb_thread_is_only())) return mb_hard_slab_examine(slab, p, slot);
    bool gone = mb_unit_kind(mb_hard_slab_unit(slab)) != MB_UNIT_HARD_SLAB || mb_hard_class_of(slab) != class;
    return MB_UNLIKELY(gone) ? MB_HARD_FREED : mb_hard_slab_examine(slab, p, slot);
}

MB_NOINLINE static void hold_or_drop(struct mb_hard_class_shared *class, struct mb_hard_slab *slab, uint32_t slot) {
    if (!mb_hard_is_big(slab->slot_bytes)) return;
    if (class->held_bytes + slab->slot_bytes > MB_HARD_HELD_MAX)
        mb_hard_slot_shut(slab, slot);
    else
        class->held_bytes += slab->slot_bytes;
}

// As many as a class of short-lived blocks uses in turn.
static uint32_t empties_to_keep(const struct mb_hard_class_shared *class, const struct mb_hard_slab *slab) {
    return 1 + class->slabs / EMPTY_SHARE + class->delay / slab->slots;
}

static void give(struct mb_hard_class_shared *class, struct mb_hard_slab *slab, uint32_t slot, char *p) {
    mb_hard_class_take_in_hand(class, p, MB_HARD_GIVES);
    mb_hard_slot_give(slab, slot, p, (uint32_t) class->count);
    if (MB_UNLIKELY(!slab->plain)) hold_or_drop(class, slab, slot);
    mb_hard_class_let_go(class);
    if (slab == class->current) return;
    if (!slab->listed)
        mb_hard_class_append(class, slab);
    else if (slab->live_count == 0)
        class->empties++;
    if (slab->live_count == 0 && class->empties > empties_to_keep(class, slab)) mb_hard_class_retire(class, slab);
}

// What the program has done to the pages of its block ends with it: they can be read and written again.
MB_COLD static void open_pages(struct mb_unit *unit, const void *p) {
    const struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    size_t page = mb_os_page_size();
    uintptr_t from = mb_align_down((uintptr_t)p, page), to = mb_align_up((uintptr_t)p + MB_PEEK(slab->slot_bytes), page);
    unsigned class_index = MB_PEEK(slab->class_index);
    if (class_index == MB_HARD_ZERO_CLASS) return;
    uintptr_t end = mb_unit_address(mb_unit_index(unit)) + mb_hard_slab_usable_bytes(class_index);
    mb_os_commit((void *)from, mb_min(to, end) - from);
}

enum mb_hard_fault mb_hard_small_free(struct mb_unit *unit, const void *p) {
    struct mb_trace *here = mb_trace_here();
    if (mb_changed(mb_unit_index(unit), 1) == MB_CHANGE_STATE) open_pages(unit, p);
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    struct mb_hard_class_shared *class = mb_hard_class_of(slab);
    uint32_t slot;
    bool locked = mb_hard_class_enter(class);
    enum mb_hard_fault fault = examine(slab, class, p, &slot);
    if (MB_LIKELY(fault == MB_HARD_FINE)) {
        if (MB_UNLIKELY(!slab->plain) && slab->pasts != NULL) mb_hard_past_freed(&slab->pasts[slot], here);
        give(class, slab, slot, (char *)(uintptr_t)p);
    }
    mb_hard_class_leave(class, locked);
    return fault;
}

enum mb_hard_fault mb_hard_small_length(struct mb_unit *unit, const void *p, size_t *bytes) {
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    struct mb_hard_class_shared *class = mb_hard_class_of(slab);
    uint32_t slot;
    bool locked = mb_hard_class_enter(class);
    enum mb_hard_fault fault = examine(slab, class, p, &slot);
    if (fault == MB_HARD_FINE) *bytes = slab->notes[slot];
    mb_hard_class_leave(class, locked);
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
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    struct mb_hard_class_shared *class = mb_hard_class_of(slab);
    uint32_t slot;
    bool locked = mb_hard_class_enter(class);
    enum mb_hard_fault fault = examine(slab, class, p, &slot);
    if (fault == MB_HARD_FINE || fault == MB_HARD_OVERFLOW || fault == MB_HARD_UNDERFLOW) how->old_bytes = slab->notes[slot];
    if (fault == MB_HARD_FINE) how->done = how->bytes == how->old_bytes || stays(slab, how->bytes, how->will);
    if (fault == MB_HARD_FINE && how->done) {
        mb_hard_class_take_in_hand(class, p, MB_HARD_TAKES);
        mb_hard_slot_resize(slab, slot, how->bytes);
        mb_hard_class_let_go(class);
    }
    mb_hard_class_leave(class, locked);
    return fault;
}

bool mb_hard_small_class_slow(size_t align, size_t bytes, unsigned *class_index) {
    if (bytes > MB_MEDIUM_MAX || (bytes == 0 && align > MB_GRANULE)) return false;
    size_t rounded = mb_bytes_to_align(mb_max(align, MB_GRANULE), bytes + MB_SLACK_MIN);
    if (rounded > MB_MEDIUM_MAX) return false;
    *class_index = bytes == 0 ? MB_HARD_ZERO_CLASS : mb_class_of(rounded);
    return mb_hard_slots_of(*class_index) > 0;
}
