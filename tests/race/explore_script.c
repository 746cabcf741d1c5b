// What: the ground that the explored code stands on (an arena of UNITS units, a small page) and the scripts' operations, each
// with its checks: no block handed out twice or given back while live, contents kept, accesses ordered.
#include "tests/race/explore.h"

#include <string.h>

#include "core/front/malloc.h"
#include "core/heap/perturb.h"
#include "core/process/background.h"
#include "core/process/init.h"
#include "core/region/arena.h"
#include "core/region/purge.h"
#include "core/small/idle.h"
#include "core/small/own.h"
#include "platform/cpu.h"
#include "platform/os.h"

struct world world;

const struct scenario scenarios[] = {
    {"full slab, two free", "MMM", {"", "0", "1"}, 64, "12"},
    {"full slab, three free", "mmmmm", {"0", "1", "2"}, 64, "12"},
    {"full slab, all free", "mmmmm", {"03", "1", "2"}, 64, "2"},
    {"home and remote, trim", "MMM", {"0", "1", "t"}, 64, ""},
    {"owner pops, others push", "MM", {"MM", "0", "1"}, 64, ""},
    {"owner frees and pops", "MM", {"0M", "1", "M"}, 64, ""},
    {"owner pops twice", "mmmm", {"mm", "01", "2"}, 64, "1"},
    {"current, trim", "MM", {"M0", "1", "t"}, 64, "1"},
    {"queued, trim", "MMMM", {"0M", "1", "t"}, 64, "1"},
    {"queued, claimed, class changes", "MMMM", {"0", "1", "mf"}, 64, ""},
    {"leaving, class changes", "MM", {"M", "01", "S"}, 64, "1"},
    {"exit, others free", "MM", {"x", "0", "1"}, 64, "12"},
    {"exit, class changes", "MM", {"x", "01", "S"}, 64, "1"},
    {"exit and adoption", "mmm", {"x", "0m", "1"}, 64, ""},
    {"exit and two adoptions", "mm", {"x", "m", "m"}, 64, ""},
    {"two exits", "MMM", {"x", "0x", "1M"}, 64, ""},
    {"frees, exits, adopted", "mm", {"0x", "1", "mm"}, 64, "1"},
    {"pooled, two take", "mmmmm", {"0", "m", "m"}, 64, "0"},
    {"pooled, taken, completed", "MMM", {"2", "0M", "1"}, 64, ""},
    {"home frees, other adopts", "mmmmm", {"01", "2", "m"}, 64, ""},
    {"home frees after adoption", "mmmmm01", {"23", "mm", "t"}, 64, ""},
    {"producer, consumer", "", {"MpMpM", "gg", "t"}, 64, "1"},
    {"both ways", "", {"MpM", "Mpgg"}, 64, ""},
    {"carving in steps", "m", {"mm", "0", "t"}, 32, "1"},
    {"carving, left, adopted", "mmm", {"mx", "0", "1m"}, 32, ""},
    {"idle pages, owner takes", "mmmmm0", {"mm", "1", "u"}, 32, "2"},
    {"idle pages, others free", "mmmmm", {"0", "12", "u"}, 32, ""},
    {"idle pages, adopted", "mmmm", {"x", "0m", "u"}, 32, ""},
    {"idle pages, exit", "mmmmm01", {"x", "2", "u"}, 32, ""},
    {"idle pages, two look", "mmmmm01", {"m", "u", "ut"}, 32, "1"},
    {"short of memory", "MMMMM", {"MM", "01"}, 64, "1"},
    {"short of memory, two ask", "MMMMM", {"M", "0", "M"}, 64, "1"},
    {NULL, NULL, {NULL}, 0, NULL},
};

_Noreturn void explore_fatal(const char *what, const void *address);
_Noreturn void explore_assert_failed(const char *condition, const char *file, int line);
size_t explore_page_size(void);

void explore_fatal(const char *what, const void *address) {
    fail("%s: granule %td", what, ((const unsigned char *)address - world.memory) / MB_GRANULE);
}
void explore_assert_failed(const char *condition, const char *file, int line) {
    fail("%s:%d: assertion %s", file, line, condition);
}
size_t explore_page_size(void) { return scenario->page_bytes; }

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

// Here nothing is given back to a system, so nobody has to wait for that.
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

// As core/process/background.c, which keeps time and threads besides.
void mb_background_claim_all(void) {
    for (size_t i = 0; i < UNITS; i++) {
        struct mb_unit *unit = mb_unit_at(i);
        if (mb_unit_kind(unit) != MB_UNIT_SLAB) continue;
        mb_own_claim_if_free(unit);
    }
}

// --- operations -----------------------------------------------------------------------------------------------------

static size_t granule_of(const unsigned char *p) { return (size_t)(p - world.memory) / MB_GRANULE; }

// The block is used by the current fiber: what was done with it before must be known to have happened.
static void touch(size_t first, size_t count) {
    if (!memory_use(((1u << count) - 1) << first)) fail("granule %zu: not ordered after its last use", first);
}

static unsigned char *allocate(size_t bytes) {
    unsigned char *p = mb_malloc(bytes);
    if (p == NULL) return NULL;
    if (!within(p, world.memory, sizeof world.memory) || (size_t)(p - world.memory) % MB_GRANULE != 0)
        fail("malloc returned %p", (void *)p);
    size_t first = granule_of(p);
    for (size_t g = 0; g < GRANULES; g++)
        if (world.live[g] != 0 && g < first + bytes / MB_GRANULE && g + world.live[g] > first) fail("granule %zu handed out twice", first);
    world.live[first] = (uint8_t)(bytes / MB_GRANULE);
    touch(first, bytes / MB_GRANULE);
    memset(p, 0x40 + (int)first, bytes);
    return p;
}

static void release(unsigned char *p) {
    if (p == NULL) return; // a malloc that found no memory
    size_t first = granule_of(p);
    size_t count = world.live[first];
    if (count == 0) fail("the script frees granule %zu twice", first);
    touch(first, count);
    for (size_t i = 0; i < count * MB_GRANULE; i++)
        if (p[i] != 0x40 + first) fail("granule %zu changed while live", first);
    world.live[first] = 0;
    mb_free(p);
}

static void keep(unsigned index, unsigned char *p) {
    if (world.owned[index] == PRESETS) fail("script too long");
    world.own[index][world.owned[index]++] = p;
}

static unsigned char *newest(unsigned index) {
    if (world.owned[index] == 0) fail("the script has no block");
    return world.own[index][--world.owned[index]];
}

static void put_cell(unsigned index) {
    EXPLORE_BEFORE(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
    world.cell[world.put++] = newest(index);
    EXPLORE_AFTER(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
}

static void get_cell(unsigned index) {
    world.waits[index] = true;
    EXPLORE_BEFORE(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
    world.waits[index] = false;
    EXPLORE_AFTER(&world.put, EXPLORE_EXCHANGE, memory_order_acq_rel);
    release(world.cell[world.got++]);
}

static void leave_thread(void) {
    struct mb_heap *heap = mb_heap_self;
    mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_departed;
    mb_own_release_all(heap);
}

void script_operation(unsigned index, char operation) {
    switch (operation) {
    case 'm': keep(index, allocate(16)); break;
    case 'M': keep(index, allocate(32)); break;
    case 'S': release(allocate(48)); break;
    case 'f': release(newest(index)); break;
    case 'p': put_cell(index); break;
    case 'g': get_cell(index); break;
    case 't': mb_background_claim_all(); break;
    case 'u': (void)mb_idle_purge_all(); break;
    case 'x': leave_thread(); break;
    default: release(world.preset[operation - '0']); break;
    }
}

// --- the setup -----------------------------------------------------------------------------------------------------

static void set_up_heap(struct mb_heap *heap) {
    heap->token = heap;
    for (unsigned c = 0; c < MB_CLASSES; c++) heap->front.bytes[c] = mb_class_bytes(c);
}

static void set_up_world(void) {
    world_begin();
    world.free_units = (1u << UNITS) - 1;
    for (unsigned i = 0; i < FIBERS; i++) set_up_heap(&world.heaps[i]);
    mb_space.base = (uintptr_t)world.memory;
    mb_space.table = world.table;
    mb_space.bytes = sizeof world.memory;
    atomic_store_explicit(&mb_init_shared.stage, MB_INIT_READY, memory_order_relaxed);
}

void script_set_up(void) {
    set_up_world();
    mb_cpu_look();
    mb_perturb_set(0);
    mb_heap_self = &world.heaps[0];
    for (const char *at = scenario->setup; *at != '\0'; at++) {
        bool is_malloc = *at == 'm' || *at == 'M';
        if (is_malloc) world.preset[world.presets++] = allocate(*at == 'm' ? 16 : 32);
        else script_operation(0, *at);
    }
}

bool script_is_constant(const volatile void *p) {
    (void)p;
    return false;
}

// --- names of atomics --------------------------------------------------------------------------------------------------

static const char *unit_field(size_t offset) {
    static const struct {
        size_t offset;
        const char *name;
    } fields[] = {{offsetof(struct mb_unit, shared.remote), "state"}, {offsetof(struct mb_unit, shared.home), "home"},
                  {offsetof(struct mb_unit, shared.bits), "place of bits"}, {offsetof(struct mb_unit, slab.owner), "owner"},
                  {offsetof(struct mb_unit, slab.used), "used"}, {offsetof(struct mb_unit, slab.kind), "kind"},
                  {offsetof(struct mb_unit, slab.carved), "carved"}, {offsetof(struct mb_unit, bits), "free bits"}};
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
    return within(p, world.metadata, sizeof world.metadata) ? "metadata" : "elsewhere";
}

const struct weakened weakenings[] = {
    {"remote bits", EXPLORE_EXCHANGE, memory_order_relaxed, "queued, claimed, class changes"},
    {"remote bits", EXPLORE_LOAD, memory_order_relaxed, "short of memory"},
    {"state", EXPLORE_EXCHANGE, memory_order_acq_rel, "owner pops, others push"},
    {"state", EXPLORE_EXCHANGE, memory_order_relaxed, "owner pops, others push"},
    {"state", EXPLORE_LOAD, memory_order_acquire, "owner pops, others push"},
    {"state", EXPLORE_LOAD, memory_order_relaxed, "owner pops, others push"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};

// --- the end of a run -----------------------------------------------------------------------------------------------

static void check_slab(const struct mb_unit *unit) {
    struct mb_slab_bits bits = mb_slab_bits(unit);
    uint64_t word = mb_remote_load(unit), mine = mb_free_bits(&bits, 0), others = mb_remote_bits(&bits, 0);
    uint32_t live = 0;
    if (mb_remote_state(word) != MB_SLAB_UNOWNED) fail("unit %zu in state %d at the end", mb_unit_index(unit), mb_remote_state(word));
    for (uint32_t i = 0; i < unit->slab.carved; i++) {
        uintptr_t p = mb_slab_start(unit) + (uintptr_t)i * unit->slab.block_bytes;
        bool is_live = world.live[granule_of((unsigned char *)p)] != 0;
        if ((mine >> i & 1) + (others >> i & 1) + is_live != 1) fail("granule %zu lost or free twice", granule_of((unsigned char *)p));
        live += is_live;
    }
    if (mb_slab_used(&unit->slab) - mb_popcount64(others) != live) fail("unit %zu counts %u used", mb_unit_index(unit), mb_slab_used(&unit->slab));
    if (live == 0) fail("unit %zu is empty and was not given back", mb_unit_index(unit));
}

static void check_units(void) {
    for (size_t i = 0; i < UNITS; i++) {
        bool is_free = (world.free_units >> i & 1) != 0;
        if (is_free != (world.table[i].slab.kind == MB_UNIT_NONE)) fail("unit %zu lost", i);
        if (!is_free) check_slab(&world.table[i]);
    }
}

// All threads leave; then the live blocks are freed one by one, and the last of each slab must bring it home.
void script_check_end(void) {
    for (unsigned i = 0; i < FIBERS; i++) mb_own_release_all(&world.heaps[i]);
    check_units();
    mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_departed;
    for (size_t g = 0; g < GRANULES; g++)
        if (world.live[g] != 0) release(world.memory + g * MB_GRANULE);
    check_units();
}
