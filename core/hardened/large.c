#include "core/hardened/large.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "core/hardened/slack.h"
#include "core/hardened/small.h"
#include "core/hardened/waiting.h"
#include "core/hardened/wall.h"
#include "core/region/arena.h"
#include "core/region/changed.h"
#include "core/region/purge.h"
#include "core/told/options.h"
#include "platform/bits.h"
#include "platform/os.h"

static const size_t MOVE_PAGES_MIN = (size_t)1 << 20;
static const size_t ROOM_MAX = (size_t)1 << 30;

static struct {
    uint64_t seed;           // constant after the start
    _Atomic uint64_t served; // any thread, relaxed: a statistic, and what makes each block's canaries its own
} large_shared;

void mb_hard_large_init(uint64_t seed) { large_shared.seed = seed; }

static size_t pages_of(size_t bytes) { return mb_align_up(bytes, mb_os_page_size()); }

// --- making ----------------------------------------------------------------------------------------------------------

// Where the block lies in its span, and how long that is.
struct plan {
    size_t lead, open, units, align_units;
    size_t lead_bytes; // guard=all: so that the block ends at the guard, as far as its alignment lets it
};

static bool plan_for(size_t align, size_t bytes, size_t room, struct plan *out) {
    size_t page = mb_os_page_size();
    if (bytes > MB_WINDOW_BYTES / 2 || align > MB_WINDOW_BYTES / 2) return false;
    out->lead = mb_max(align, page);
    out->open = pages_of(bytes);
    out->lead_bytes = mb_option.guard == MB_GUARD_ALL ? mb_align_down(out->open - bytes, align) : 0;
    out->units = mb_align_up(out->lead + out->open + room + page, MB_UNIT_BYTES) >> MB_UNIT_SHIFT;
    out->align_units = mb_max(align >> MB_UNIT_SHIFT, 1);
    return true;
}

static bool take_span(const struct plan *plan, struct mb_span *span) {
    if (mb_arena_take(plan->units, plan->align_units, span)) return true;
    mb_hard_waiting_flush();
    mb_hard_small_trim();
    mb_hard_waiting_flush();
    mb_arena_shortage_enter();
    mb_arena_decommit_all();
    bool taken = mb_arena_take(plan->units, plan->align_units, span);
    mb_arena_shortage_leave();
    return taken;
}

static bool make_zero(const struct mb_span *span) {
    char *p = (char *)mb_unit_address(span->first);
    size_t bytes = span->units << MB_UNIT_SHIFT;
    if (span->zero || mb_purge_to_zero(p, bytes)) return true;
    memset(p, 0, bytes);
    return true;
}

static uint32_t put_guard(void *p, size_t bytes) { return mb_wall_up(p, bytes, false) == MB_WALL_ACCESS; }

// The page before the block, the page behind it, and what else is in its last unit.
static uint32_t put_guards(char *p, const struct plan *plan, char *span_end) {
    size_t page = mb_os_page_size();
    size_t rest = (size_t)(span_end - (p + plan->open));
    return put_guard(p - page, page) + put_guard(p + plan->open, rest <= MB_UNIT_BYTES ? rest : page);
}

// Bytes of the block's pages from its start on.
static size_t open_from_start(const struct mb_hard_large *large) { return large->open_bytes - large->lead_bytes; }

static char *set_up(const struct plan *plan, const struct mb_span *span, size_t bytes, bool moved) {
    char *start = (char *)mb_unit_address(span->first), *end = start + (span->units << MB_UNIT_SHIFT), *p = start + plan->lead;
    struct mb_unit *unit = mb_unit_of(p), *lead = mb_unit_at(span->first);
    struct mb_hard_large *large = mb_hard_large_of(unit);
    uint64_t served = atomic_fetch_add_explicit(&large_shared.served, 1, memory_order_relaxed);
    *large = (struct mb_hard_large){.salt = mb_mix64(large_shared.seed + served * MB_RNG_STEP),
                                    .bytes = bytes,
                                    .open_bytes = plan->open,
                                    .lead_bytes = plan->lead_bytes,
                                    .room_bytes = (size_t)(end - p) - mb_os_page_size(),
                                    .first = (uint32_t)span->first,
                                    .units = (uint32_t)span->units,
                                    .moved = moved,
                                    .served = served,
                                    .accesses = put_guards(p, plan, end)};
    p += plan->lead_bytes;
    mb_slack_fill(large->salt, p, bytes, open_from_start(large));
    if (MB_UNLIKELY(mb_trace_is_on())) mb_hard_past_made(&large->past, mb_trace_here());
    if (unit != lead) {
        mb_hard_set_units(lead, (size_t)(unit - lead));
        mb_unit_set_kind(lead, MB_UNIT_HARD_LEAD);
    }
    mb_hard_set_units(unit, span->units - (size_t)(unit - lead));
    mb_unit_set_kind(unit, MB_UNIT_HARD_LARGE);
    return p;
}

void *mb_hard_large_alloc(size_t align, size_t bytes) {
    struct plan plan;
    struct mb_span span;
    if (!plan_for(align, bytes, 0, &plan) || !take_span(&plan, &span) || !make_zero(&span)) return NULL;
    return set_up(&plan, &span, bytes, false);
}

// --- a block ---------------------------------------------------------------------------------------------------------

static enum mb_hard_fault examine(struct mb_unit *unit, const void *p) {
    const struct mb_hard_large *large = mb_hard_large_of(unit);
    if (p != mb_hard_large_start(large)) return MB_HARD_INTERIOR;
    if (!mb_slack_is_intact(large->salt, p, large->bytes, open_from_start(large))) return MB_HARD_OVERFLOW;
    return mb_slack_is_zero((const char *)p - large->lead_bytes, large->lead_bytes) ? MB_HARD_FINE : MB_HARD_UNDERFLOW;
}

static bool claim(struct mb_unit *unit) {
    uint8_t large = MB_UNIT_HARD_LARGE;
    return __atomic_compare_exchange_n(&unit->slab.kind, &large, (uint8_t)MB_UNIT_NONE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

// Whether the program has changed what may be done with its pages. They cannot be looked at then, and get a fresh
// mapping.
static bool has_changed(const struct mb_hard_large *large) { return mb_changed(large->first, large->units) == MB_CHANGE_STATE; }

static bool renew(const struct mb_hard_large *large) {
    if (mb_os_renew((void *)mb_unit_address(large->first), (size_t)large->units << MB_UNIT_SHIFT) != 0) return false;
    mb_changed_forget(large->first, large->units);
    return true;
}

enum mb_hard_fault mb_hard_large_free(struct mb_unit *unit, void *p) {
    struct mb_hard_large *large = mb_hard_large_of(unit);
    bool changed = has_changed(large);
    enum mb_hard_fault fault = changed ? (p == mb_hard_large_start(large) ? MB_HARD_FINE : MB_HARD_INTERIOR) : examine(unit, p);
    if (fault != MB_HARD_FINE) return fault;
    if (!claim(unit)) return MB_HARD_FREED;
    if (changed && renew(large)) {
        mb_wall_forget(large->accesses);
        large->accesses = 0;
    }
    if (MB_UNLIKELY(mb_trace_is_on())) mb_hard_past_freed(&large->past, mb_trace_here());
    struct mb_hard_gone gone = {.first = large->first,
                                .units = large->units,
                                .start = (uintptr_t)p,
                                .accesses = large->accesses,
                                .moved = large->moved,
                                .past = large->past,
                                .touchable = large->bytes > 0 && !has_changed(large) ? p : NULL};
    mb_unit_set_kind(mb_unit_at(gone.first), MB_UNIT_NONE);
    mb_hard_wait(&gone);
    return MB_HARD_FINE;
}

enum mb_hard_fault mb_hard_large_length(struct mb_unit *unit, const void *p, size_t *bytes) {
    enum mb_hard_fault fault = examine(unit, p);
    if (fault == MB_HARD_FINE) *bytes = mb_hard_large_of(unit)->bytes;
    return fault;
}

// --- resizing --------------------------------------------------------------------------------------------------------

// The new guard stands before the old one goes.
static bool move_guard(struct mb_hard_large *large, char *p, size_t open) {
    size_t page = mb_os_page_size(), old = large->open_bytes;
    if (open > old) {
        large->accesses += put_guard(p + open, page);
        return mb_wall_down(p + old, open - old, large->accesses > 0);
    }
    size_t shut = old - open;
    if (shut > MB_HUGE_PAGE_BYTES) mb_os_purge(p + open, shut);
    large->accesses += put_guard(p + open, shut > MB_HUGE_PAGE_BYTES ? page : shut);
    return true;
}

static void set_length(struct mb_hard_large *large, char *p, size_t bytes, size_t open) {
    if (bytes < large->bytes) memset(p + bytes, 0, mb_min(open - large->lead_bytes, large->bytes) - bytes);
    large->bytes = bytes;
    large->open_bytes = open;
    mb_slack_fill(large->salt, p, bytes, open_from_start(large));
}

bool mb_hard_large_resize(struct mb_unit *unit, char *p, size_t bytes) {
    struct mb_hard_large *large = mb_hard_large_of(unit);
    if (bytes > MB_WINDOW_BYTES / 2) return false;
    size_t open = large->lead_bytes == 0 ? pages_of(bytes) : large->open_bytes; // what ends at its guard stays in its pages
    if (open > large->room_bytes || bytes > open - large->lead_bytes) return false;
    mb_slack_clear(p, large->bytes, open_from_start(large));
    bool done = open == large->open_bytes || move_guard(large, p, open);
    if (done)
        set_length(large, p, bytes, open);
    else
        mb_slack_fill(large->salt, p, large->bytes, open_from_start(large));
    return done;
}

enum moved { COPIED, MOVED, LOST };

static enum moved move_or_copy(const char *from, char *to, size_t bytes) {
    size_t pages = mb_align_down(bytes, mb_os_page_size());
    bool paged = ((uintptr_t)from | (uintptr_t)to) % mb_os_page_size() == 0;
    int error = paged && bytes >= MOVE_PAGES_MIN ? mb_os_move_pages((void *)(uintptr_t)from, to, pages) : -EINVAL;
    if (error == -ENXIO || error == -ESTALE) return LOST;
    size_t done = error == 0 ? pages : 0;
    memcpy(to + done, from + done, bytes - done);
    return error == 0 ? MOVED : COPIED;
}

void *mb_hard_large_move(struct mb_unit *unit, char *p, size_t bytes) {
    struct mb_hard_large *old = mb_hard_large_of(unit);
    struct plan plan;
    struct mb_span span;
    if (!plan_for(MB_GRANULE, bytes, mb_min(bytes / 2, ROOM_MAX), &plan) || !take_span(&plan, &span) || !make_zero(&span)) return NULL;
    char *to = (char *)mb_unit_address(span.first) + plan.lead + plan.lead_bytes;
    enum moved moved = move_or_copy(p, to, mb_min(old->bytes, bytes));
    if (moved == LOST) {
        mb_arena_abandon(span.first, span.units);
        return NULL;
    }
    if (moved == MOVED) old->moved = true;
    return set_up(&plan, &span, bytes, moved == MOVED);
}

// --- looking ---------------------------------------------------------------------------------------------------------

// The unit's own kind, or that of the span that covers it.
struct mb_unit *mb_hard_large_covering(struct mb_unit *unit) {
    for (size_t i = mb_unit_index(unit) + 1; i > 0; i--) {
        struct mb_unit *candidate = mb_unit_at(i - 1);
        if (mb_unit_kind(candidate) != MB_UNIT_NONE) return (size_t)(unit - candidate) < mb_hard_units(candidate) ? candidate : NULL;
        if (mb_arena_is_free(i - 1)) return NULL;
    }
    return NULL;
}

enum mb_hard_fault mb_hard_large_fault(const void *p) {
    struct mb_unit *unit = mb_hard_large_covering(mb_unit_of(p));
    switch (unit == NULL ? MB_UNIT_NONE : mb_unit_kind(unit)) {
    case MB_UNIT_HARD_LARGE: return MB_HARD_INTERIOR;
    case MB_UNIT_HARD_WAITING: break;
    default: return MB_HARD_NEVER;
    }
    uintptr_t start = MB_PEEK(mb_hard_waiting_of(unit)->start);
    if (start == 0) return (uintptr_t)p % MB_GRANULE == 0 ? MB_HARD_FREED : MB_HARD_NEVER;
    return start == (uintptr_t)p ? MB_HARD_FREED : MB_HARD_INTERIOR;
}

void mb_hard_large_count(struct mb_hard_large_totals *out) {
    size_t end = mb_arena_units();
    *out = (struct mb_hard_large_totals){.served = atomic_load_explicit(&large_shared.served, memory_order_relaxed)};
    for (size_t i = 0; i < end; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) != MB_UNIT_HARD_LARGE) continue;
        out->blocks++;
        out->bytes += MB_PEEK(mb_hard_large_of(unit)->bytes);
    }
}

size_t mb_hard_large_sweep(void (*found)(enum mb_hard_fault fault, const void *p)) {
    size_t end = mb_arena_units(), count = 0;
    for (size_t i = 0; i < end; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) != MB_UNIT_HARD_LARGE || has_changed(mb_hard_large_of(unit))) continue;
        const char *p = mb_hard_large_start(mb_hard_large_of(unit));
        enum mb_hard_fault fault = examine(unit, p);
        if (fault == MB_HARD_FINE) continue;
        found(fault, p);
        count++;
    }
    return count;
}

void mb_hard_large_visit(void (*visit)(struct mb_trace *made, size_t bytes)) {
    size_t end = mb_arena_units();
    for (size_t i = 0; i < end; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) == MB_UNIT_HARD_LARGE) visit(mb_hard_large_of(unit)->past.made, mb_hard_large_of(unit)->bytes);
    }
}
