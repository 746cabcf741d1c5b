#include "core/region/margin.h"

#include "core/region/arena.h"
#include "platform/bits.h"
#include "platform/os.h"

static const uint64_t SOON_NS = UINT64_C(1000000000); // who comes later has done without
static const uint64_t LONG_NS = UINT64_C(20000000000);
enum { HEAP_SHARE = 8, MORE_SHARE = 4 };

struct mb_margin_shared mb_margin_shared;

// Another thread may have come later, and written first.
static bool is_soon(const _Atomic uint64_t *at, uint64_t now, uint64_t ns) {
    uint64_t then = atomic_load_explicit(at, memory_order_relaxed);
    return then != 0 && (now < then || now - then < ns);
}

void mb_margin_freed(size_t units) {
    if (units <= MB_MARGIN_MIN_UNITS) return;
    uint64_t now = mb_os_now_ns();
    units = mb_min(units, MB_MARGIN_WARM_UNITS);
    if (units < atomic_load_explicit(&mb_margin_shared.span_units, memory_order_relaxed) && is_soon(&mb_margin_shared.span_at, now, SOON_NS)) return;
    atomic_store_explicit(&mb_margin_shared.span_units, units, memory_order_relaxed);
    atomic_store_explicit(&mb_margin_shared.span_at, now, memory_order_relaxed);
}

static size_t span_freed_lately(void) {
    size_t units = atomic_load_explicit(&mb_margin_shared.span_units, memory_order_relaxed);
    if (units == 0 || is_soon(&mb_margin_shared.span_at, mb_os_now_ns(), SOON_NS)) return units;
    atomic_store_explicit(&mb_margin_shared.span_units, 0, memory_order_relaxed);
    return 0;
}

// The most that was missed and is heeded.
static size_t more_max(void) { return mb_max(mb_arena_units() / MORE_SHARE, MB_MARGIN_MORE_UNITS); }

static size_t bound_units(void) { return atomic_load_explicit(&mb_margin_shared.bound_units, memory_order_relaxed); }

size_t mb_margin_asked_units(void) {
    size_t bound = bound_units();
    return bound > MB_MARGIN_ASKED_UNITS ? bound - 1 : 0;
}

size_t mb_margin_of_warm(size_t margin) {
    return mb_min(margin, mb_max(MB_MARGIN_WARM_UNITS + mb_margin_more_units(), mb_margin_asked_units()));
}

size_t mb_margin_units(void) {
    size_t share = mb_min(mb_arena_units() / HEAP_SHARE, MB_MARGIN_WARM_UNITS);
    size_t least = mb_max(mb_max(share, MB_MARGIN_MIN_UNITS), span_freed_lately());
    size_t missed = atomic_load_explicit(&mb_margin_shared.missed_units, memory_order_relaxed);
    size_t wanted = least + mb_max(mb_min(missed, MB_MARGIN_KEPT_UNITS), mb_margin_more_units());
    size_t bound = bound_units();
    if (bound > MB_MARGIN_ASKED_UNITS) return mb_max(wanted, bound - 1);
    return bound != 0 ? mb_min(wanted, bound - 1) : wanted;
}

void mb_margin_bound(size_t bytes) {
    size_t units = bytes >> MB_UNIT_SHIFT;
    atomic_store_explicit(&mb_margin_shared.bound_units, units + 1, memory_order_relaxed);
}

void mb_margin_owe(size_t units) {
    uint64_t now = mb_os_now_ns();
    if (units == 0) {
        atomic_store_explicit(&mb_margin_shared.refused_at, now, memory_order_relaxed);
        return;
    }
    bool soon = is_soon(&mb_margin_shared.owed_at, now, SOON_NS);
    size_t owed = soon ? atomic_load_explicit(&mb_margin_shared.owed_units, memory_order_relaxed) : 0;
    atomic_store_explicit(&mb_margin_shared.owed_at, now, memory_order_relaxed);
    atomic_store_explicit(&mb_margin_shared.owed_units, owed + units, memory_order_relaxed);
    if (!is_soon(&mb_margin_shared.grown_at, now, LONG_NS)) atomic_store_explicit(&mb_margin_shared.missed_units, 0, memory_order_relaxed);
}

bool mb_margin_is_refused(void) {
    return atomic_load_explicit(&mb_margin_shared.refused_at, memory_order_relaxed) != 0 && is_soon(&mb_margin_shared.refused_at, mb_os_now_ns(), SOON_NS);
}

MB_COLD void mb_margin_missed(size_t units) {
    uint64_t now = mb_os_now_ns();
    size_t owed = atomic_load_explicit(&mb_margin_shared.owed_units, memory_order_relaxed);
    if (!is_soon(&mb_margin_shared.owed_at, now, SOON_NS)) {
        atomic_store_explicit(&mb_margin_shared.owed_units, 0, memory_order_relaxed);
        return;
    }
    size_t missed = mb_min(units, owed);
    size_t all = atomic_load_explicit(&mb_margin_shared.missed_units, memory_order_relaxed) + missed;
    atomic_store_explicit(&mb_margin_shared.owed_units, owed - missed, memory_order_relaxed);
    atomic_store_explicit(&mb_margin_shared.missed_units, mb_min(all, MB_MARGIN_MISSED_SHARE * more_max()), memory_order_relaxed);
    atomic_store_explicit(&mb_margin_shared.grown_at, now, memory_order_relaxed);
}
