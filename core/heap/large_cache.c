#include "core/heap/large_cache.h"

#include <stdatomic.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/compiler.h"

enum { SLOTS = 8, UNITS_SHIFT = 32 };
static const uint64_t OLD = UINT64_C(1) << 63;
static const size_t KEPT_UNITS_MAX = ((size_t)40 << 20) >> MB_UNIT_SHIFT;

// A slot: first unit + 1 in the low half, number of units above, OLD when a tick has passed; 0 is empty. Any thread, by
// compare-and-swap; filling releases the descriptor, taking acquires it.
static struct {
    _Atomic uint64_t slot[SLOTS] MB_CACHE_ALIGNED;
} cache_shared;

static size_t first_of(uint64_t entry) { return (size_t)(uint32_t)entry - 1; }
static size_t units_of(uint64_t entry) { return (size_t)((entry & ~OLD) >> UNITS_SHIFT); }

static uint64_t look(unsigned i) { return atomic_load_explicit(&cache_shared.slot[i], memory_order_relaxed); }

size_t mb_large_cache_units(void) {
    size_t units = 0;
    for (unsigned i = 0; i < SLOTS; i++) units += units_of(look(i));
    return units;
}

bool mb_large_cache_put(size_t first, size_t units) {
    if (mb_large_cache_units() + units > KEPT_UNITS_MAX) return false;
    uint64_t entry = (uint64_t)units << UNITS_SHIFT | (first + 1);
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t empty = 0;
        if (look(i) == 0 && atomic_compare_exchange_strong_explicit(&cache_shared.slot[i], &empty, entry, memory_order_release,
                                                                    memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

static bool empty_slot(unsigned i, uint64_t seen) {
    return atomic_compare_exchange_strong_explicit(&cache_shared.slot[i], &seen, 0, memory_order_acquire, memory_order_relaxed);
}

bool mb_large_cache_take(size_t units, size_t *first) {
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t seen = look(i);
        if (units_of(seen) != units || !empty_slot(i, seen)) continue;
        *first = first_of(seen);
        return true;
    }
    return false;
}

void mb_large_cache_flush(void (*give)(size_t first, size_t units)) {
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t seen = look(i);
        if (seen != 0 && empty_slot(i, seen)) give(first_of(seen), units_of(seen));
    }
}

void mb_large_cache_age(void (*give)(size_t first, size_t units)) {
    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t seen = look(i);
        if (seen == 0) continue;
        if ((seen & OLD) == 0) {
            atomic_compare_exchange_strong_explicit(&cache_shared.slot[i], &seen, seen | OLD, memory_order_relaxed,
                                                    memory_order_relaxed);
        } else if (empty_slot(i, seen)) {
            give(first_of(seen), units_of(seen));
        }
    }
}
