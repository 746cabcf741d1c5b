// What: the operations of scripts on blocks of slabs, with their checks: no block is handed out twice, contents are
// kept, accesses are ordered.
#include "tests/race/explore.h"

#include <string.h>

#include "core/front/malloc.h"
#include "core/heap/perturb.h"
#include "core/process/background.h"
#include "core/process/init.h"
#include "core/small/idle.h"
#include "core/small/own.h"
#include "platform/bits.h"
#include "platform/cpu.h"

// --- operations -----------------------------------------------------------------------------------------------------

size_t ground_granule_of(const unsigned char *p) { return (size_t)(p - world.memory) / MB_GRANULE; }

// The block is used by the current fiber: what was done with it before must be known to have happened.
static void touch(size_t first, size_t count) {
    if (!memory_use(((1u << count) - 1) << first)) fail("granule %zu: not ordered after its last use", first);
}

unsigned char *blocks_allocated(unsigned char *p, size_t bytes) {
    if (p == NULL) return NULL;
    if (!within(p, world.memory, sizeof world.memory) || (size_t)(p - world.memory) % MB_GRANULE != 0)
        fail("malloc returned %p", (void *)p);
    size_t first = ground_granule_of(p);
    for (size_t g = 0; g < GRANULES; g++)
        if (world.live[g] != 0 && g < first + bytes / MB_GRANULE && g + world.live[g] > first) fail("granule %zu handed out twice", first);
    world.live[first] = (uint8_t)(bytes / MB_GRANULE);
    touch(first, bytes / MB_GRANULE);
    memset(p, 0x40 + (int)first, bytes);
    return p;
}

static unsigned char *allocate(size_t bytes) { return blocks_allocated(mb_malloc(bytes), bytes); }

static void release(unsigned char *p) {
    if (p == NULL) return; // a malloc that found no memory
    size_t first = ground_granule_of(p);
    size_t count = world.live[first];
    if (count == 0) fail("the script frees granule %zu twice", first);
    touch(first, count);
    for (size_t i = 0; i < count * MB_GRANULE; i++)
        if (p[i] != 0x40 + first) fail("granule %zu changed while live", first);
    world.live[first] = 0;
    mb_free(p);
}

void blocks_keep(unsigned index, unsigned char *p) {
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
    case 'm': blocks_keep(index, allocate(16)); break;
    case 'M': blocks_keep(index, allocate(32)); break;
    case 'S': release(allocate(48)); break;
    case 'f': release(newest(index)); break;
    case 'p': put_cell(index); break;
    case 'g': get_cell(index); break;
    case 't': mb_background_claim_all(); break;
    case 'u': (void)mb_idle_purge_all(); break;
    case 'x': leave_thread(); break;
    default:
        if (operation >= '0' && operation < '0' + PRESETS)
            release(world.preset[operation - '0']);
        else if (!blocks_operation(index, operation))
            fail("no operation %c", operation);
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
    blocks_set_up();
    for (const char *at = scenario->setup; *at != '\0'; at++) {
        bool is_malloc = *at == 'm' || *at == 'M';
        if (is_malloc)
            world.preset[world.presets++] = allocate(*at == 'm' ? 16 : 32);
        else
            script_operation(0, *at);
    }
}

bool script_is_constant(const volatile void *p) {
    (void)p;
    return false;
}

// --- the end of a run -----------------------------------------------------------------------------------------------

// All threads leave; then the live blocks are freed one by one, and the last of each slab must bring it home.
void script_check_end(void) {
    for (unsigned i = 0; i < FIBERS; i++) mb_own_release_all(&world.heaps[i]);
    blocks_check_end();
    ground_check_units();
    mb_heap_self = (struct mb_heap *)(uintptr_t)&mb_heap_departed;
    for (size_t g = 0; g < GRANULES; g++)
        if (world.live[g] != 0) release(world.memory + g * MB_GRANULE);
    ground_check_units();
}
