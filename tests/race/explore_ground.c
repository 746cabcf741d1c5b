// What: the environment of the explored slabs: an arena of UNITS units, small pages, no helper thread; names of
// atomics, and the checks at the end of a run. Each call checks that no live block is given back.
#include "tests/race/explore.h"

#include <string.h>

#include "core/front/malloc.h"
#include "core/layout/slab.h"
#include "core/process/background.h"
#include "core/region/arena.h"
#include "core/region/purge.h"
#include "core/small/own.h"
#include "core/told/report.h"
#include "platform/os.h"

void mb_report_inside(enum mb_operation operation, const void *p) { fail("%p is no block (%d)", p, (int)operation); }
void mb_report_freed_at_once(const void *p) { fail("%p is no large block", p); }

static void arena_step(void) {
    EXPLORE_BEFORE(&world.free_units, EXPLORE_EXCHANGE, memory_order_acq_rel);
    EXPLORE_AFTER(&world.free_units, EXPLORE_EXCHANGE, memory_order_acq_rel);
}

// Memory that is given back must hold no live block, and is zero afterwards.
struct mb_purge_shared mb_purge_shared;
int mb_os_purge(void *p, size_t bytes) {
    size_t first = (size_t)((unsigned char *)p - world.memory) / MB_GRANULE;
    arena_step();
    for (size_t g = 0; g < GRANULES; g++)
        if (world.live[g] != 0 && g < first + bytes / MB_GRANULE && g + world.live[g] > first) fail("granule %zu given back while live", g);
    memset(p, 0, bytes);
    return 0;
}

// --- the arena ------------------------------------------------------------------------------------------------------

bool mb_arena_take(size_t units, size_t align_units, struct mb_span *out) {
    (void)align_units;
    arena_step();
    if (units != 1) fail("a span of %zu units", units);
    if (world.free_units == 0) return false;
    out->first = (size_t)__builtin_ctzll(world.free_units);
    world.free_units &= world.free_units - 1;
    out->units = 1;
    out->zero = false;
    return true;
}

void mb_arena_give(size_t first, size_t units) {
    arena_step();
    if (units != 1 || first >= UNITS || (world.free_units >> first & 1) != 0) fail("unit %zu given back twice", first);
    for (size_t g = first * GRANULES_PER_UNIT; g < (first + 1) * GRANULES_PER_UNIT; g++)
        if (world.live[g] != 0) fail("unit %zu given back while granule %zu is live", first, g);
    if (world.table[first].slab.kind != MB_UNIT_NONE) fail("unit %zu given back with its descriptor set", first);
    world.free_units |= UINT64_C(1) << first;
}

size_t mb_arena_units(void) { return UNITS; }

// Every unit may be a slab.
void mb_arena_note_slab(size_t unit) { (void)unit; }
void mb_arena_forget_slab(size_t unit) { (void)unit; }
size_t mb_arena_next_slab(size_t unit) { return unit < UNITS ? unit : MB_NO_UNIT; }
size_t mb_arena_next_slab_near(size_t unit) { return mb_arena_next_slab(unit); }

// Nothing is returned to the system here, so that no thread waits for it.
size_t mb_arena_decommit_all(void) { return 0; }
void mb_arena_shortage_enter(void) {}
void mb_arena_shortage_leave(void) {}

void *mb_arena_metadata(size_t bytes, size_t align) {
    size_t at = mb_align_up(world.metadata_used, align);
    if (at + bytes > METADATA_BYTES) return NULL;
    world.metadata_used = at + bytes;
    return world.metadata + at;
}

// --- the helper -----------------------------------------------------------------------------------------------------

void mb_background_tick(void) {}
void mb_background_span_freed(size_t units) { (void)units; }

// As core/process/background.c, without its clock and threads.
void mb_background_claim_all(void) {
    for (size_t i = 0; i < UNITS; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) != MB_UNIT_SLAB) continue;
        mb_own_claim_if_free(unit);
    }
}

// --- names of atomics ------------------------------------------------------------------------------------------------

static const char *unit_field(size_t offset) {
    static const struct {
        size_t offset;
        const char *name;
    } fields[] = {{offsetof(struct mb_unit, shared.remote), "state"},
                  {offsetof(struct mb_unit, shared.home), "home"},
                  {offsetof(struct mb_unit, shared.bits), "place of bits"},
                  {offsetof(struct mb_unit, slab.owner), "owner"},
                  {offsetof(struct mb_unit, slab.used), "used"},
                  {offsetof(struct mb_unit, slab.kind), "kind"},
                  {offsetof(struct mb_unit, slab.carved), "carved"},
                  {offsetof(struct mb_unit, bits), "free bits"}};
    if (offset > offsetof(struct mb_unit, bits)) return "remote bits"; // or more words of free bits, which stay 0 here
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].offset == offset) return fields[i].name;
    return "field";
}

const char *place_name(const volatile void *p) {
    static const size_t stride = sizeof(struct mb_unit);
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)world.table);
    if (within(p, world.table, sizeof world.table)) return unit_field(offset % stride);
    if (within(p, &world.free_units, sizeof world.free_units)) return "arena";
    return within(p, world.metadata, sizeof world.metadata) ? "metadata" : blocks_place_name(p);
}

// --- the end of a run -----------------------------------------------------------------------------------------------

static void check_slab(const struct mb_unit *unit) {
    struct mb_slab_bits bits = mb_slab_bits(unit);
    uint64_t word = mb_remote_load(unit), mine = mb_free_bits(&bits, 0), others = mb_remote_bits(&bits, 0);
    uint32_t live = 0;
    if (mb_remote_state(word) != MB_SLAB_UNOWNED) fail("unit %zu in state %d at the end", mb_unit_index(unit), mb_remote_state(word));
    for (uint32_t i = 0; i < unit->slab.carved; i++) {
        uintptr_t p = mb_slab_start(unit) + (uintptr_t)i * unit->slab.block_bytes;
        bool is_live = world.live[ground_granule_of((unsigned char *)p)] != 0;
        if ((mine >> i & 1) + (others >> i & 1) + is_live != 1)
            fail("granule %zu lost or free twice", ground_granule_of((unsigned char *)p));
        live += is_live;
    }
    if (mb_slab_used(&unit->slab) - mb_popcount64(others) != live)
        fail("unit %zu counts %u used", mb_unit_index(unit), mb_slab_used(&unit->slab));
    if (live == 0) fail("unit %zu is empty and was not given back", mb_unit_index(unit));
}

void ground_check_units(void) {
    for (size_t i = 0; i < UNITS; i++) {
        bool is_free = (world.free_units >> i & 1) != 0;
        if (is_free != (world.table[i].slab.kind == MB_UNIT_NONE)) fail("unit %zu lost", i);
        if (!is_free) check_slab(&world.table[i]);
    }
}
