#include "core/guarded/told.h"

#include "core/base/mistake.h"
#include "core/hardened/trace.h"
#include "core/process/stack.h"
#include "platform/os.h"

enum { NS_A_MS = 1000000 };

static void tell_calls(const void *context) {
    const struct mb_guarded_slot *slot = context;
    uintptr_t here[MB_GUARDED_DEPTH];
    unsigned depth = mb_stack_capture(here, MB_GUARDED_DEPTH);
    mb_trace_tell_calls("found in thread ", mb_os_thread_id(), here, depth);
    if (slot->made_by != 0) mb_trace_tell_calls("allocated by thread ", slot->made_by, slot->made, slot->made_depth);
    if (slot->freed_by != 0) mb_trace_tell_calls("freed by thread ", slot->freed_by, slot->freed, slot->freed_depth);
}

static struct mb_mistake mistake_of(const struct mb_guarded_slot *slot, const char *what, const char *called, const void *address) {
    struct mb_mistake mistake = {.what = what,
                                 .called = called,
                                 .address = address,
                                 .start = slot->start,
                                 .bytes = slot->bytes,
                                 .more = tell_calls,
                                 .context = slot};
    if (slot->freed_by != 0) {
        mistake.ago = " ms ago";
        mistake.freed_ago = (mb_os_now_fine_ns() - slot->freed_ns) / NS_A_MS;
    }
    return mistake;
}

MB_COLD void mb_guarded_tell_damage(const struct mb_guarded_slot *slot, const char *what) {
    struct mb_mistake mistake = mistake_of(slot, what, mb_operation_name(MB_OP_FREE), slot->start);
    mb_mistake_meet(&mistake);
}

// --- which block an address belongs to -------------------------------------------------------------------------------

static const char *offset_of(const void *address, size_t *page) {
    uintptr_t offset = (uintptr_t)address - atomic_load_explicit(&mb_guarded_range_shared.base, memory_order_relaxed);
    *page = offset / mb_os_page_size();
    return (const char *)(offset % mb_os_page_size());
}

static bool was_used(const struct mb_guarded_slot *slot) { return slot != NULL && slot->made_by != 0; }
static bool is_live(struct mb_guarded_slot *slot) { return was_used(slot) && mb_guarded_state(&slot->word) == MB_GUARDED_LIVE; }

// An address on a slot's page belongs to that slot. One on a guard page belongs to the neighbour on the nearer side, or
// to the other neighbour if that is the only live one, or the only one ever used.
static struct mb_guarded_slot *nearest(const void *address) {
    size_t page, offset = (size_t)(uintptr_t)offset_of(address, &page);
    if (page % 2 == 1) return mb_guarded_slot_at(page / 2);
    struct mb_guarded_slot *before = page > 0 ? mb_guarded_slot_at(page / 2 - 1) : NULL;
    struct mb_guarded_slot *behind = page / 2 < MB_GUARDED_SLOTS ? mb_guarded_slot_at(page / 2) : NULL;
    struct mb_guarded_slot *near = offset < mb_os_page_size() / 2 ? before : behind, *far = near == before ? behind : before;
    if (is_live(near) || !(is_live(far) || (!was_used(near) && was_used(far)))) return near != NULL ? near : far;
    return far;
}

MB_COLD void mb_guarded_on_fault(const void *address) {
    if (!mb_guarded_contains(address)) return;
    struct mb_guarded_slot *slot = nearest(address);
    if (!was_used(slot)) return;
    const char *what = !is_live(slot)                        ? "use after free"
                       : (const char *)address < slot->start ? "heap underflow (touched before the block)"
                                                             : "heap overflow (touched behind the block)";
    struct mb_mistake mistake = mistake_of(slot, what, "access", address);
    mb_mistake_say(&mistake);
}

MB_COLD void mb_guarded_report(enum mb_operation operation, const void *p) {
    struct mb_guarded_slot *slot = nearest(p);
    bool starts = slot != NULL && slot->start == p, used = was_used(slot);
    enum mb_fault fault = !used ? MB_FAULT_UNUSED : starts ? MB_FAULT_FREED : is_live(slot) ? MB_FAULT_INTERIOR : MB_FAULT_UNCLEAR;
    struct mb_mistake mistake = {.what = mb_fault_text(operation, fault), .called = mb_operation_name(operation), .address = p};
    if (used) mistake = mistake_of(slot, mistake.what, mistake.called, p);
    mb_mistake_meet(&mistake);
}
