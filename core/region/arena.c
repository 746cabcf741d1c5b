#include "core/region/arena.h"

#include <errno.h>

#include "core/base/bump_shared.h"
#include "core/base/check.h"
#include "core/base/config.h"
#include "core/base/lock.h"
#include "core/region/arena_map.h"
#include "core/region/huge.h"
#include "core/region/lazy.h"
#include "core/region/lazy_place.h"
#include "core/region/limit.h"
#include "core/region/margin.h"
#include "core/region/pieces.h"
#include "core/region/purge.h"
#include "core/region/recover.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

enum { HOLE_TRIES = 14 };
static const size_t HOLE_BYTES = (size_t)64 << 20; // at the first try, twice as many at each next: as far as the window reaches

struct mb_space mb_space = {.base = MB_SPACE_NOWHERE};

static struct {
    struct mb_lazy_shared front;    // the user's memory
    struct mb_lazy_shared table;    // the descriptors
    struct mb_lazy_shared metadata; // heaps, tables
    struct mb_bump_shared bump;     // cursor of the metadata
    struct mb_lock_shared grow;     // adds units to the front
    struct mb_lock_shared shortage; // held while free units are given back to the system
} arena_shared;

// --- start ----------------------------------------------------------------------------------------------------------

static bool commit_metadata(void *context, size_t upto) {
    (void)context;
    return mb_lazy_commit(&arena_shared.metadata, upto) == 0;
}

// The metadata window holds the descriptor table and, above it, the bump arena; the table takes what a full window
// needs.
static bool place_metadata(uint64_t random) {
    size_t table_bytes = MB_WINDOW_BYTES / MB_UNIT_BYTES * sizeof(struct mb_unit);
    struct mb_lazy_shared *table = &arena_shared.table, *metadata = &arena_shared.metadata;
    const struct mb_lazy_shared *placed[] = {&arena_shared.front, table, NULL};
    if (!mb_lazy_place(table, random, MB_COMMIT_STEP_MIN, table_bytes, placed)) return false;
    if (!mb_lazy_place(metadata, random ^ random << 21, MB_COMMIT_STEP_MIN, MB_METADATA_WINDOW_BYTES, placed)) return false;
    table->small_pages = metadata->small_pages = true;
    mb_bump_shared_init(&arena_shared.bump, (void *)arena_shared.metadata.base, arena_shared.metadata.capacity, commit_metadata, NULL);
    mb_space.table = (struct mb_unit *)table->base;
    return true;
}

// Under a finite address-space limit no reservation takes more than an eighth of what is left.
static void cap_pieces(void) {
    size_t left = mb_os_address_space_left();
    if (left == SIZE_MAX) return;
    size_t cap = mb_max(left / 8, MB_COMMIT_STEP_MIN);
    arena_shared.front.piece_cap_bytes = cap;
    arena_shared.table.piece_cap_bytes = cap;
    arena_shared.metadata.piece_cap_bytes = cap;
}

bool mb_arena_init(const uint64_t random[2]) {
    arena_shared.grow.rank = MB_RANK_ARENA;
    arena_shared.shortage.rank = MB_RANK_SHORTAGE;
    const struct mb_lazy_shared *none[] = {NULL};
    if (!mb_lazy_place(&arena_shared.front, random[0], MB_PIECE_FIRST_BYTES, MB_WINDOW_BYTES, none)) return false;
    if (!place_metadata(random[1])) return false;
    arena_shared.front.large_steps = true;
    cap_pieces();
    __atomic_store_n(&mb_space.base, arena_shared.front.base, __ATOMIC_RELEASE);
    return true;
}

void mb_arena_grow_small(void) { mb_lazy_grow_small(&arena_shared.front); }

void mb_arena_name(void) {
    mb_lazy_set_name(&arena_shared.front, "mbmalloc blocks");
    mb_lazy_set_name(&arena_shared.table, "mbmalloc descriptors");
    mb_lazy_set_name(&arena_shared.metadata, "mbmalloc metadata");
}

// Where the system refuses, what is free in the front may pay for it.
void *mb_arena_metadata(size_t bytes, size_t align) {
    void *p = mb_bump_shared_alloc(&arena_shared.bump, bytes, align);
    if (p != NULL || mb_arena_decommit_all() == 0) return p;
    return mb_bump_shared_alloc(&arena_shared.bump, bytes, align);
}

// --- growing --------------------------------------------------------------------------------------------------------

// Metadata is committed ahead of the front, so that a front that has taken all address space there was still gets the
// bits of its slabs. Not touched, it costs no memory.
static bool commit_bits(size_t units) {
    size_t upto = mb_bump_shared_used(&arena_shared.bump) + units * MB_MORE_BYTES_MAX;
    return upto > arena_shared.metadata.capacity || mb_lazy_commit(&arena_shared.metadata, upto) == 0;
}

// Descriptors and map for so many units of the front.
static bool describe_to(size_t units) {
    return mb_lazy_commit(&arena_shared.table, units * sizeof(struct mb_unit)) == 0 && mb_arena_map_extend(units) &&
           mb_pieces_extend(units) && commit_bits(units);
}

// Descriptors and map must reach a unit before it is published.
static bool publish_to(size_t units) {
    size_t published = mb_arena_units();
    if (units <= published) return true;
    if (!describe_to(units)) return false;
    __atomic_store_n(&mb_space.bytes, units << MB_UNIT_SHIFT, __ATOMIC_RELEASE);
    mb_map_release(&mb_arena_map, published, units - published);
    return true;
}

void mb_arena_abandon(size_t first, size_t units) {
    struct mb_unit *hole = mb_unit_at(first);
    mb_huge_lost(first, units);
    hole->slab.large_pieces = (uint32_t)mb_pieces_in(units);
    mb_unit_set_kind(hole, MB_UNIT_HOLE);
}

// A foreign mapping stands in the way: what lies before it is published, the hole gets a descriptor that says so, and
// the front goes on behind it. Nothing has changed when the descriptors cannot be had.
static bool skip_hole(size_t bytes) {
    size_t begin;
    struct mb_lazy_shared *front = &arena_shared.front;
    size_t mapped = mb_lazy_mapped(front);
    size_t end = (mapped + bytes) >> MB_UNIT_SHIFT;
    if (!describe_to(end) || !mb_lazy_skip(front, mapped, bytes, &begin)) return false;
    size_t first = begin >> MB_UNIT_SHIFT;
    publish_to(first);
    mb_arena_abandon(first, end - first);
    __atomic_store_n(&mb_space.bytes, end << MB_UNIT_SHIFT, __ATOMIC_RELEASE);
    return true;
}

// Where a run of the given size and alignment would begin if it ended the front: on the free units that end it now.
static size_t tail_start(size_t align_units) {
    size_t phase = mb_space.base >> MB_UNIT_SHIFT;
    return mb_align_up(mb_map_free_before(&mb_arena_map, mb_arena_units()) + phase, align_units) - phase;
}

static bool grow_locked(size_t units, size_t align_units) {
    for (int tries = 0; tries < HOLE_TRIES; tries++) {
        size_t end = tail_start(align_units) + units;
        if (end <= mb_arena_units()) return true;
        if (end > MB_WINDOW_BYTES >> MB_UNIT_SHIFT) return false;
        int error = mb_lazy_commit(&arena_shared.front, end << MB_UNIT_SHIFT);
        if (error == 0) {
            size_t reached = mb_lazy_committed(&arena_shared.front) >> MB_UNIT_SHIFT;
            return publish_to(reached) || publish_to(end);
        }
        if (error != -EEXIST || !skip_hole(HOLE_BYTES << tries)) return false;
    }
    return false;
}

static bool grow(size_t units, size_t align_units) {
    mb_lock(&arena_shared.grow);
    bool grown = grow_locked(units, align_units);
    mb_unlock(&arena_shared.grow);
    return grown;
}

// --- taking and giving ----------------------------------------------------------------------------------------------

// Units that were decommitted while they were free get their memory back; false when the system refuses it.
static bool recommit(size_t first, size_t units) {
    if (MB_LIKELY(mb_map_count_bare(&mb_arena_map, first, units) == 0)) return true;
    if (mb_os_commit((void *)mb_unit_address(first), units << MB_UNIT_SHIFT) != 0) {
        mb_map_release(&mb_arena_map, first, units);
        return false;
    }
    mb_map_set_committed(&mb_arena_map, first, units);
    return true;
}

static bool claimed(size_t first, size_t units, bool *zero) {
    if (!recommit(first, units)) return false;
    size_t warm = mb_map_count_warm(&mb_arena_map, first, units);
    *zero = warm == 0;
    if (warm < units) {
        if (!mb_limit_take(units - warm)) {
            mb_map_release(&mb_arena_map, first, units);
            return false;
        }
        mb_map_set_warm(&mb_arena_map, first, units);
        mb_margin_taken_cold(units - warm);
    }
    if (warm > 0) atomic_fetch_sub_explicit(&mb_purge_shared.warm_free_units, warm, memory_order_relaxed);
    mb_map_count_span(&mb_arena_map, first);
    return true;
}

bool mb_arena_take_at(size_t first, size_t units, bool *zero) {
    if (first + units > mb_arena_units() || !mb_map_claim(&mb_arena_map, first, units)) return false;
    return claimed(first, units, zero);
}

static size_t find(const struct mb_map_query *query) {
    size_t first = mb_map_find(&mb_arena_map, MB_MAP_WARM, query);
    if (first == MB_NO_UNIT) first = mb_map_find(&mb_arena_map, MB_MAP_COMMITTED, query);
    if (first == MB_NO_UNIT && mb_map_has_bare(&mb_arena_map)) first = mb_map_find(&mb_arena_map, MB_MAP_FREE, query);
    if (first != MB_NO_UNIT || query->align == 1) return first;
    // What would end the front is where growing begins, so it must be found; other runs that fit by chance are not all
    // looked at.
    size_t last = tail_start(query->align);
    return query->units <= mb_arena_units() - mb_min(last, mb_arena_units()) ? last : MB_NO_UNIT;
}

enum outcome { TAKEN, NONE_FREE, REFUSED };

static enum outcome take_free(const struct mb_map_query *query, struct mb_span *out) {
    for (;;) {
        size_t first = find(query);
        if (first == MB_NO_UNIT) return NONE_FREE;
        out->first = first;
        out->units = query->units;
        if (!mb_map_claim(&mb_arena_map, first, query->units)) continue;
        return claimed(first, query->units, &out->zero) ? TAKEN : REFUSED;
    }
}

bool mb_arena_take(size_t units, size_t align_units, struct mb_span *out) {
    if (units > MB_WINDOW_BYTES >> MB_UNIT_SHIFT || align_units > MB_WINDOW_BYTES >> MB_UNIT_SHIFT) return false;
    struct mb_map_query query = {.units = units, .align = align_units, .phase = mb_space.base >> MB_UNIT_SHIFT};
    enum outcome outcome;
    while ((outcome = take_free(&query, out)) == NONE_FREE && grow(units, align_units)) continue;
    return outcome == TAKEN;
}

void mb_arena_shortage_enter(void) { mb_lock(&arena_shared.shortage); }
bool mb_arena_shortage_try_enter(void) { return mb_try_lock(&arena_shared.shortage); }
void mb_arena_shortage_leave(void) { mb_unlock(&arena_shared.shortage); }

void mb_arena_give(size_t first, size_t units) {
    atomic_fetch_add_explicit(&mb_purge_shared.warm_free_units, units, memory_order_relaxed);
    mb_map_release(&mb_arena_map, first, units);
}

void mb_arena_give_cold(size_t first, size_t units) {
    mb_map_set_cold(&mb_arena_map, first, units);
    mb_limit_give(units);
    mb_map_release(&mb_arena_map, first, units);
}

void mb_arena_give_bare(size_t first, size_t units) {
    mb_map_begin_bare(&mb_arena_map, mb_arena_units());
    mb_map_set_cold(&mb_arena_map, first, units);
    mb_limit_give(units);
    mb_map_set_bare(&mb_arena_map, first, units);
    mb_map_release(&mb_arena_map, first, units);
}

// --- numbers --------------------------------------------------------------------------------------------------------

size_t mb_arena_units(void) { return __atomic_load_n(&mb_space.bytes, __ATOMIC_ACQUIRE) >> MB_UNIT_SHIFT; }

bool mb_arena_is_free(size_t unit) { return mb_map_is_free(&mb_arena_map, unit); }

bool mb_arena_is_warm(size_t unit) { return mb_map_count_warm(&mb_arena_map, unit, 1) != 0; }

uint64_t mb_arena_spans_taken(void) { return mb_map_spans(&mb_arena_map, mb_arena_units()); }

static struct mb_arena_range range_of(const struct mb_lazy_shared *lazy) {
    return (struct mb_arena_range){lazy->base, mb_lazy_committed(lazy), mb_lazy_mapped(lazy)};
}

void mb_arena_ranges(struct mb_arena_range out[MB_ARENA_RANGES]) {
    out[MB_ARENA_FRONT] = range_of(&arena_shared.front);
    out[MB_ARENA_TABLE] = range_of(&arena_shared.table);
    out[MB_ARENA_METADATA] = range_of(&arena_shared.metadata);
}

size_t mb_arena_metadata_bytes(void) { return mb_lazy_committed(&arena_shared.table) + mb_lazy_committed(&arena_shared.metadata); }

size_t mb_arena_reserved_bytes(void) {
    return mb_lazy_mapped(&arena_shared.front) + mb_lazy_mapped(&arena_shared.table) + mb_lazy_mapped(&arena_shared.metadata);
}

// --- after fork -----------------------------------------------------------------------------------------------------

void mb_arena_recover(void) {
    mb_lock_reset(&arena_shared.shortage);
    mb_lock_reset(&arena_shared.grow);
    mb_lazy_recover(&arena_shared.front);
    mb_lazy_recover(&arena_shared.table);
    mb_lazy_recover(&arena_shared.metadata);
    mb_map_recover(&mb_arena_map, mb_arena_units());
    mb_arena_recover_units();
    mb_limit_recover();
}
