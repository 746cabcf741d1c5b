#include "core/region/huge_proof.h"

#include <stdatomic.h>
#include <stdint.h>

#include "core/region/arena_map.h"
#include "core/region/huge.h"
#include "core/region/unit.h"
#include "platform/atomic.h"

enum {
    RECENT = 4, // a chunk is looked at when so many more have been entered, when its slabs should be carved out
    SAMPLE = 8, // units of it
    STEP = MB_HUGE_CHUNK_UNITS / SAMPLE,
    PAGED_MAX = 2048, // bytes of a block of which each page has two at least
    PARTS = 1024,     // a share is counted in such parts
    PARTS_FILLED = PARTS * 15 / 16,
};

// Any thread, relaxed.
static struct {
    _Atomic size_t recent[RECENT]; // chunks, + 1
    _Atomic size_t entered;        // how many
    _Atomic uint32_t filled;       // parts: the mean of those looked at, each of which counts as much as all before
} proof_shared MB_CACHE_ALIGNED;

// The descriptor of a unit that is no slab may not have been touched yet.
static uint32_t carved_parts(size_t unit) {
    if (mb_map_next_slab(&mb_arena_map, unit, unit + 1) != unit) return 0;
    const struct mb_unit *slab = mb_unit_at(unit);
    uint32_t bytes = MB_PEEK(slab->slab.block_bytes);
    if (mb_unit_kind(slab) != MB_UNIT_SLAB || bytes == 0 || bytes > PAGED_MAX) return 0;
    uint64_t carved = (uint64_t)bytes * MB_PEEK(slab->slab.carved);
    return (uint32_t)(carved * PARTS / (MB_UNIT_BYTES - MB_UNIT_BYTES % bytes));
}

static void look(size_t chunk, size_t turn) {
    uint32_t parts = 0;
    for (size_t i = 0; i < SAMPLE; i++) parts += carved_parts(chunk + i * STEP + turn % STEP);
    uint32_t before = atomic_load_explicit(&proof_shared.filled, memory_order_relaxed);
    atomic_store_explicit(&proof_shared.filled, (before + parts / SAMPLE) / 2, memory_order_relaxed);
}

bool mb_huge_proof_enter(size_t chunk) {
    size_t turn = atomic_fetch_add_explicit(&proof_shared.entered, 1, memory_order_relaxed);
    size_t old = atomic_exchange_explicit(&proof_shared.recent[turn % RECENT], chunk + 1, memory_order_relaxed);
    if (old != 0) look(old - 1, turn);
    return atomic_load_explicit(&proof_shared.filled, memory_order_relaxed) >= PARTS_FILLED;
}
