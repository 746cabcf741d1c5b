#include "core/small/idle.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "core/region/arena.h"
#include "core/region/huge.h"
#include "core/region/purge.h"
#include "core/small/own.h"
#include "core/small/slab_walk.h"
#include "platform/bits.h"
#include "platform/os.h"

static struct {
    _Atomic size_t cursor; // next unit to look at; any thread, relaxed: two lookers may see the same units
} idle_shared;

// --- one slab --------------------------------------------------------------------------------------------------------

static size_t purge_pages(struct mb_unit *unit, uint32_t pages) {
    size_t page_bytes = mb_os_page_size();
    size_t purged = 0;
    for (uint32_t left = pages; left != 0;) {
        unsigned first = mb_ctz64(left);
        unsigned count = mb_ctz64(~((uint64_t)left >> first));
        if (mb_os_purge((void *)(mb_slab_start(unit) + first * page_bytes), count * page_bytes) == 0) purged += count * page_bytes;
        left &= ~(uint32_t)mb_bit_range(first, count);
    }
    mb_purge_note(purged);
    if (purged != 0) mb_huge_purged(mb_unit_index(unit), 1);
    return purged;
}

static bool is_at_rest(uint64_t word) {
    return mb_remote_state(word) == MB_SLAB_QUEUED || mb_remote_state(word) == MB_SLAB_UNOWNED;
}

// Frees that come in meanwhile leave the look for an empty slab to us.
static size_t purge_slab(struct mb_unit *unit, uint64_t word) {
    uint32_t known = atomic_load_explicit(&unit->shared.purged_pages, memory_order_relaxed);
    uint32_t pages = mb_slab_free_pages(unit, mb_os_page_size()) & ~known;
    if (pages == 0 || !mb_remote_make_busy(unit, word)) return 0;
    size_t purged = purge_pages(unit, pages);
    atomic_store_explicit(&unit->shared.purged_pages, known | pages, memory_order_relaxed);
    mb_remote_end_busy(unit, word);
    mb_pool_note_lost(MB_PEEK(unit->slab.class_index)); // a hint that was put meanwhile found the slab busy and was dropped
    mb_own_claim_if_free(unit);
    return purged;
}

// Whether anything has happened to the slab since the last look.
static bool is_idle(struct mb_unit *unit, uint64_t word) {
    uint32_t stamp = (uint32_t)word * 8191 + mb_slab_count_free(unit);
    return atomic_exchange_explicit(&unit->shared.stamp, stamp, memory_order_relaxed) == stamp;
}

// --- all slabs -------------------------------------------------------------------------------------------------------

static size_t look(struct mb_unit *unit) {
    if (mb_own_is_in_use(unit) || mb_unit_kind(unit) != MB_UNIT_SLAB) return 0;
    mb_own_adopt_orphan(unit);
    if (mb_own_claim_if_free(unit)) return 0;
    uint64_t word = mb_remote_load(unit);
    return is_at_rest(word) && is_idle(unit, word) ? purge_slab(unit, word) : 0;
}

size_t mb_idle_look(size_t slabs) {
    struct mb_slab_walk walk = mb_slab_walk_from(atomic_load_explicit(&idle_shared.cursor, memory_order_relaxed));
    size_t purged = 0;
    for (struct mb_unit *unit; slabs > 0 && (unit = mb_slab_walk_next(&walk)) != NULL; slabs--) purged += look(unit);
    atomic_store_explicit(&idle_shared.cursor, walk.at, memory_order_relaxed);
    return purged;
}

size_t mb_idle_purge_all(void) {
    size_t purged = 0;
    for (size_t i = mb_arena_next_slab(0); i != MB_NO_UNIT; i = mb_arena_next_slab(i + 1)) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) != MB_UNIT_SLAB) continue;
        uint64_t word = mb_remote_load(unit);
        if (is_at_rest(word)) purged += purge_slab(unit, word);
    }
    return purged;
}
