#include "core/hardened/wrong.h"

#include <stdatomic.h>

#include "core/base/mistake.h"
#include "core/hardened/large.h"
#include "core/hardened/small.h"

static struct {
    _Atomic bool ending; // set once by any thread, relaxed
} wrong_shared;

bool mb_hard_is_ending(void) { return MB_UNLIKELY(atomic_load_explicit(&wrong_shared.ending, memory_order_relaxed)); }

// --- where an address lies --------------------------------------------------------------------------------------------

struct place {
    const void *start; // of the block there; NULL: none
    size_t bytes;
    const char *ago; // as in struct mb_mistake
    uint64_t freed_ago;
    const struct mb_hard_past *past; // NULL: not kept
};

static struct place with_past(struct place place, const struct mb_hard_past *past) {
    if (past->made_by == 0) return place;
    place.past = past;
    if (past->freed_by == 0) return place;
    place.ago = " ms ago";
    place.freed_ago = mb_hard_past_freed_ms(past);
    return place;
}

static struct place in_slab(struct mb_unit *unit, const void *p) {
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    bool start;
    uint32_t slot = mb_hard_slot_at(slab, mb_unit_offset(p), &start);
    if (slot < slab->slots && mb_hard_bit(slab->live, slot))

        return (struct place){
            .start = mb_hard_slot(slab, slot), .bytes = slab->notes[slot], .past = slab->pasts != NULL ? &slab->pasts[slot] : NULL};
    struct place place = {.bytes = slab->slot_bytes};
    if (slot >= slab->slots) return place;
    if (slab->pasts != NULL) return with_past(place, &slab->pasts[slot]);
    if (mb_hard_small_freed_ago(slab, slot, &place.freed_ago)) place.ago = " blocks of its class ago";
    return place;
}

static struct place place_of(const void *p) {
    struct mb_unit *unit = mb_space_contains(p) ? mb_unit_of(p) : NULL;
    if (unit != NULL && mb_unit_kind(unit) == MB_UNIT_HARD_SLAB) return in_slab(unit, p);
    unit = unit != NULL ? mb_hard_large_covering(unit) : NULL;
    if (unit != NULL && mb_unit_kind(unit) == MB_UNIT_HARD_WAITING)
        return with_past((struct place){.start = NULL}, &mb_hard_waiting_of(unit)->past);
    if (unit == NULL || mb_unit_kind(unit) != MB_UNIT_HARD_LARGE) return (struct place){.start = NULL};
    const struct mb_hard_large *large = mb_hard_large_of(unit);
    struct place place = {.start = mb_hard_large_start(large), .bytes = large->bytes};
    return (const char *)p >= (const char *)place.start ? with_past(place, &large->past) : (struct place){.start = NULL};
}

// --- reports --------------------------------------------------------------------------------------------------------------

static void tell_past(const void *context) { mb_hard_past_tell(context); }

MB_COLD static void meet(const char *what, const char *called, const void *p) {
    struct place place = place_of(p);
    struct mb_mistake mistake = {.what = what,
                                 .called = called,
                                 .address = p,
                                 .start = place.start,
                                 .bytes = place.bytes,
                                 .ago = place.ago,
                                 .freed_ago = place.freed_ago,
                                 .more = mb_trace_is_on() ? tell_past : NULL,
                                 .context = place.past};
    if (mb_mistake_policy == MB_ON_ERROR_ABORT) atomic_store_explicit(&wrong_shared.ending, true, memory_order_relaxed);
    mb_mistake_meet(&mistake);
}

static enum mb_fault fault_of(enum mb_hard_fault fault, const void *p) {
    if (fault == MB_HARD_INTERIOR) return MB_FAULT_INTERIOR;
    if (fault == MB_HARD_FREED) return MB_FAULT_FREED;
    if ((uintptr_t)p % MB_GRANULE != 0) return MB_FAULT_CROOKED;
    const struct mb_unit *unit = mb_unit_of(p);
    bool was_used = mb_unit_kind(unit) == MB_UNIT_NONE && mb_hard_units(unit) != 0;
    return was_used ? MB_FAULT_UNCLEAR : MB_FAULT_UNUSED;
}

MB_COLD void mb_hard_wrong(enum mb_operation operation, enum mb_hard_fault fault, const void *p) {
    const char *called = mb_operation_name(operation);
    switch (fault) {
    case MB_HARD_OVERFLOW: return meet("heap overflow (written behind the block)", called, p);
    case MB_HARD_UNDERFLOW: return meet("heap underflow (written before the block)", called, p);
    case MB_HARD_WRITTEN: return meet("write after free", called, p);
    case MB_HARD_FINE:
    case MB_HARD_NEVER:
    case MB_HARD_INTERIOR:
    case MB_HARD_FREED: break;
    }
    meet(mb_fault_text(operation, fault_of(fault, p)), called, p);
}

MB_COLD void mb_hard_wrong_outside(enum mb_operation operation, const void *p) {
    enum mb_fault fault = (uintptr_t)p % MB_GRANULE != 0 ? MB_FAULT_CROOKED : MB_FAULT_FOREIGN;
    meet(mb_fault_text(operation, fault), mb_operation_name(operation), p);
}

MB_COLD void mb_hard_wrong_written(const void *slot) { meet("write after free", "malloc", slot); }
