#include "core/region/huge.h"

#include <stdatomic.h>
#include <stdint.h>

#include "core/base/config.h"
#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/unit.h"
#include "platform/os.h"

// A sixteenth of the heap at most is what the newest chunk has untouched.
static const size_t HEAP_BYTES_MIN = (size_t)32 << 20;

static struct {
    _Atomic bool wanted; // written at the start, and cleared when the system refuses; relaxed
} huge_shared;

void mb_huge_init(bool wanted) { atomic_store_explicit(&huge_shared.wanted, wanted, memory_order_relaxed); }

void mb_huge_unit_taken(size_t unit) {
    const size_t chunk_units = MB_HUGE_PAGE_BYTES >> MB_UNIT_SHIFT;
    size_t units = mb_arena_units();
    uintptr_t start = mb_unit_address(unit);
    if (units << MB_UNIT_SHIFT < HEAP_BYTES_MIN || start % MB_HUGE_PAGE_BYTES != 0 || unit + chunk_units > units) return;
    if (!atomic_load_explicit(&huge_shared.wanted, memory_order_relaxed)) return;
    // The unit itself counts as warm already.
    if (mb_map_count_warm(&mb_arena_map, unit, chunk_units) != 1 || mb_map_count_bare(&mb_arena_map, unit, chunk_units) != 0) return;
    if (mb_os_advise_huge((void *)start, MB_HUGE_PAGE_BYTES, true) != 0) mb_huge_init(false);
}
