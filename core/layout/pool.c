#include "core/layout/pool.h"

#include <stdatomic.h>

#include "core/layout/size_class.h"

// A slot holds generation << 32 | unit + 1; 0 is empty. Written by any thread; a put releases what made the slab
// unowned, but the adopter's compare-and-swap on the shared word is what it relies on.
static struct {
    _Atomic uint32_t filled[MB_CLASSES]; // slots that may be filled; a hint for the search only (relaxed)
    _Atomic uint64_t slots[MB_CLASSES][MB_POOL_SLOTS];
    _Atomic bool ever_used;           // set once, relaxed
    _Atomic uint8_t lost[MB_CLASSES]; // rounds over all slabs that the sweep has to make; any thread, relaxed
} pool_shared;

// A hint that is there already is left alone: many blocks of a slab come back one after the other, and others read the
// line.
void mb_pool_put(unsigned class_index, struct mb_slab_hint hint) {
    uint64_t entry = (uint64_t)hint.generation << 32 | ((uint64_t)hint.unit + 1);
    _Atomic uint64_t *slots = pool_shared.slots[class_index];
    unsigned first = hint.unit % MB_POOL_SLOTS;
    unsigned slot = first;
    for (unsigned i = 0; i < MB_POOL_SLOTS; i++) {
        slot = (first + i) % MB_POOL_SLOTS;
        uint64_t seen = atomic_load_explicit(&slots[slot], memory_order_relaxed);
        if (seen == entry) return;
        if (seen == 0) break;
        if (i == MB_POOL_SLOTS - 1) slot = first;
    }
    uint64_t old = atomic_exchange_explicit(&slots[slot], entry, memory_order_acq_rel);
    if (old != 0 && old != entry) mb_pool_note_lost(class_index);
    atomic_fetch_or_explicit(&pool_shared.filled[class_index], 1u << slot, memory_order_release);
    if (!mb_pool_ever_used()) atomic_store_explicit(&pool_shared.ever_used, true, memory_order_relaxed);
}

bool mb_pool_ever_used(void) { return atomic_load_explicit(&pool_shared.ever_used, memory_order_relaxed); }

bool mb_pool_take(unsigned class_index, struct mb_slab_hint *out) {
    uint32_t filled = atomic_load_explicit(&pool_shared.filled[class_index], memory_order_acquire);
    while (filled != 0) {
        unsigned slot = (unsigned)__builtin_ctz(filled);
        filled &= filled - 1;
        atomic_fetch_and_explicit(&pool_shared.filled[class_index], ~(1u << slot), memory_order_relaxed);
        uint64_t entry = atomic_exchange_explicit(&pool_shared.slots[class_index][slot], 0, memory_order_acquire);
        if (entry == 0) continue;
        *out = (struct mb_slab_hint){.unit = (uint32_t)entry - 1, .generation = (uint32_t)(entry >> 32)};
        return true;
    }
    return false;
}

// Two, since the present round may be half over.
enum { ROUNDS_AFTER_LOSS = 2 };

void mb_pool_note_lost(unsigned class_index) {
    if (mb_pool_lost(class_index) == ROUNDS_AFTER_LOSS) return;
    atomic_store_explicit(&pool_shared.lost[class_index], ROUNDS_AFTER_LOSS, memory_order_relaxed);
}

void mb_pool_note_all_lost(void) {
    for (unsigned c = 0; c < MB_CLASSES; c++) mb_pool_note_lost(c);
    atomic_store_explicit(&pool_shared.ever_used, true, memory_order_relaxed);
}

unsigned mb_pool_lost(unsigned class_index) { return atomic_load_explicit(&pool_shared.lost[class_index], memory_order_relaxed); }

void mb_pool_round_made(unsigned class_index) {
    unsigned lost = mb_pool_lost(class_index);
    if (lost > 0) atomic_store_explicit(&pool_shared.lost[class_index], (uint8_t)(lost - 1), memory_order_relaxed);
}
