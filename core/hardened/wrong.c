#include "core/hardened/wrong.h"

#include <stdatomic.h>

#include "core/base/mistake.h"
#include "core/hardened/large.h"
#include "core/hardened/small.h"
#include "platform/bits.h"

static struct {
    _Atomic bool ending; // set once by any thread, relaxed
} wrong_shared;

bool mb_hard_is_ending(void) { return MB_UNLIKELY(atomic_load_explicit(&wrong_shared.ending, memory_order_relaxed)); }

// --- where an address lies -------------------------------------------------------------------------------------------

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

// --- reports ---------------------------------------------------------------------------------------------------------

static void tell_past(const void *context) { mb_hard_past_tell(context); }

static struct mb_mistake mistake_of(const char *what, const char *called, const void *p, struct place place) {
    return (struct mb_mistake){.what = what,
                               .called = called,
                               .address = p,
                               .start = place.start,
                               .bytes = place.bytes,
                               .ago = place.ago,
                               .freed_ago = place.freed_ago,
                               .more = mb_trace_is_on() ? tell_past : NULL,
                               .context = place.past};
}

MB_COLD static void meet(const char *what, const char *called, const void *p) {
    struct mb_mistake mistake = mistake_of(what, called, p, place_of(p));
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

// --- memory faults ---------------------------------------------------------------------------------------------------

// The last page of a slab is its guard: what is touched there belongs to its last slot.
static struct place at_slab_guard(struct mb_unit *unit) {
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    return place_of(mb_hard_slot(slab, slab->slots - 1));
}

// The slab whose unit begins at the next page's start.
static bool is_just_before_slab(const void *address) {
    size_t page = mb_os_page_size();
    const void *next = (const void *)(mb_align_down((uintptr_t)address, page) + page);
    bool nearer = (uintptr_t)address % page >= page / 2 && (uintptr_t)next % MB_UNIT_BYTES == 0;
    return nearer && mb_space_contains(next) && mb_unit_kind(mb_unit_of(next)) == MB_UNIT_HARD_SLAB;
}

static struct place place_of_fault(const void *address) {
    if (is_just_before_slab(address)) return place_of((const char *)mb_align_down((uintptr_t)address, MB_UNIT_BYTES) + MB_UNIT_BYTES);
    struct mb_unit *unit = mb_space_contains(address) ? mb_hard_large_covering(mb_unit_of(address)) : NULL;
    if (unit == NULL) return (struct place){.start = NULL};
    if (mb_unit_kind(unit) == MB_UNIT_HARD_LEAD) unit += mb_hard_units(unit);
    if (mb_unit_kind(unit) == MB_UNIT_HARD_LARGE) {
        const struct mb_hard_large *large = mb_hard_large_of(unit);
        return with_past((struct place){.start = mb_hard_large_start(large), .bytes = large->bytes}, &large->past);
    }
    if (mb_unit_kind(unit) != MB_UNIT_HARD_SLAB) return place_of(address);
    struct mb_hard_slab *slab = mb_hard_slab_of(unit);
    bool in_slot = mb_unit_offset(address) < slab->slots * slab->slot_bytes;
    return in_slot ? place_of(address) : at_slab_guard(unit);
}

MB_COLD void mb_hard_on_fault(const void *address) {
    struct place place = place_of_fault(address);
    if (place.past == NULL) return;
    const char *what = place.past->freed_by != 0                           ? "use after free"
                       : (const char *)address < (const char *)place.start ? "heap underflow (touched before the block)"
                                                                           : "heap overflow (touched behind the block)";
    struct mb_mistake mistake = mistake_of(what, "access", address, place);
    mb_mistake_say(&mistake);
}
