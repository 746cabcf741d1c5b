#include "core/region/margin.h"

#include "core/base/config.h"
#include "platform/bits.h"
#include "platform/os.h"

static const uint64_t OWED_NS = UINT64_C(1000000000);   // who comes later has done without
static const uint64_t KEPT_NS = UINT64_C(20000000000);

struct mb_margin_shared mb_margin_shared;

size_t mb_margin_units(void) {
    return (MB_MARGIN_MIN_BYTES >> MB_UNIT_SHIFT) + atomic_load_explicit(&mb_margin_shared.more_units, memory_order_relaxed);
}

void mb_margin_owe(size_t units) {
    uint64_t now = mb_os_now_ns();
    bool fresh = now - atomic_load_explicit(&mb_margin_shared.owed_at, memory_order_relaxed) < OWED_NS;
    bool kept = now - atomic_load_explicit(&mb_margin_shared.grown_at, memory_order_relaxed) < KEPT_NS;
    if (!kept) atomic_store_explicit(&mb_margin_shared.more_units, 0, memory_order_relaxed);
    size_t owed = fresh ? atomic_load_explicit(&mb_margin_shared.owed_units, memory_order_relaxed) : 0;
    atomic_store_explicit(&mb_margin_shared.owed_at, now, memory_order_relaxed);
    atomic_store_explicit(&mb_margin_shared.owed_units, owed + units, memory_order_relaxed);
}

MB_COLD void mb_margin_missed(size_t units) {
    uint64_t now = mb_os_now_ns();
    size_t owed = atomic_load_explicit(&mb_margin_shared.owed_units, memory_order_relaxed);
    if (now - atomic_load_explicit(&mb_margin_shared.owed_at, memory_order_relaxed) >= OWED_NS) {
        atomic_store_explicit(&mb_margin_shared.owed_units, 0, memory_order_relaxed);
        return;
    }
    size_t missed = mb_min(units, owed);
    size_t most = (MB_MARGIN_MAX_BYTES - MB_MARGIN_MIN_BYTES) >> MB_UNIT_SHIFT;
    size_t more = atomic_load_explicit(&mb_margin_shared.more_units, memory_order_relaxed) + missed;
    atomic_store_explicit(&mb_margin_shared.owed_units, owed - missed, memory_order_relaxed);
    atomic_store_explicit(&mb_margin_shared.more_units, mb_min(more, most), memory_order_relaxed);
    atomic_store_explicit(&mb_margin_shared.grown_at, now, memory_order_relaxed);
}
