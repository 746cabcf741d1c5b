// What: the hardened front's slabs and their quarantine under the explorer. Fibers allocate and free blocks of two
// classes, free a block twice or after its slab was given up, and empty the quarantine. The sources are the real ones
// (small.c, small_slabs.c, slab.c, waiting.c); the locks, the arena and the walls are the explorer's
// (explore_hardened.h).
//
// Checks at each step: no block is handed out twice or with contents other than zero; of several frees of one block
// exactly one succeeds; no unit has two owners; each use of a unit is ordered after the previous one; nothing that is
// handed out or given to the arena is behind a wall. At the end of each run: every unit is a slab, waits, or belongs to
// the arena, and the counts agree.
#include "tests/race/explore.h"

#include <string.h>

#include "core/base/thread_number.h"
#include "core/hardened/record.h"
#include "core/hardened/small.h"
#include "core/hardened/small_class.h"
#include "core/hardened/waiting.h"
#include "core/hardened/wall.h"
#include "core/region/arena.h"
#include "platform/os.h"

// Scripts, a character an operation:
//   m M  a block of 8 bytes (three slots a slab, or two with pages of 32 bytes) or of 24 (one a slab); setup: those are 0, 1, ...
//   f    free the newest own block
//   0-7  free that block of the setup, whoever else does        w  empty the quarantine
//   b    setup: the quarantine's budget is nothing              d  setup: freed slots wait for one allocation
const struct scenario scenarios[] = {
    {"two take", "", {"m", "m"}, 16, ""},
    {"take and free in turn", "", {"mf", "mf"}, 16, ""},
    {"three take and free", "d", {"mf", "mf", "m"}, 16, ""},
    {"freed while another takes", "m", {"0", "m"}, 16, ""},
    {"freed twice", "m", {"0", "0"}, 16, ""},
    {"freed twice and taken", "m", {"0", "0", "m"}, 16, ""},
    {"two freed, one slab goes", "MMM", {"0", "1"}, 16, ""},
    {"a slab goes while another takes", "MMM", {"01", "M"}, 16, ""},
    {"a slab goes, the quarantine is emptied", "MMM", {"01", "w"}, 16, ""},
    {"a slab goes, its unit is needed", "MMM", {"01", "m"}, 16, ""},
    {"two need its unit", "MMM", {"01", "m", "m"}, 16, ""},
    {"freed twice while the slab goes", "MMM", {"01", "1"}, 16, ""},
    {"freed again when it may be another's", "MMM", {"01", "m", "1"}, 16, ""},
    {"freed again while it may wait", "MMM", {"01", "w", "1"}, 16, ""},
    {"two empty the quarantine", "MMM", {"01", "w", "w"}, 16, ""},
    {"two slabs go without a budget", "bMMM", {"01", "2"}, 16, ""},
    {"freed twice as the last in its slab", "mmmmmm012", {"3", "3"}, 32, ""},
    {"the same, and the unit is needed", "mmmmmm012", {"3", "3", "M"}, 32, ""},
    {"the same without a budget", "bmmmmmm012", {"3", "3", "m"}, 32, ""},
    {"go without a budget, and taken", "bMMM", {"01", "mf", "M"}, 16, ""},
    {NULL, NULL, {NULL}, 0, NULL},
};

enum { BYTES = 8, LONG_BYTES = 24, CLASS = 0, LONG_CLASS = 1, RECORD_BYTES = 64, UNIT_BIT = 16, THREAD = MB_HARD_SHARDS };
enum { CLASSES_USED = LONG_CLASS * MB_HARD_SHARDS + 1 };

static struct mb_hard_class_shared classes[MB_HARD_CLASS_NUMBERS];
struct mb_hard_class_shared *mb_hard_classes = classes;
static struct {
    bool walled[UNITS];        // behind a wall
    uint8_t lives[GRANULES];   // blocks there that were handed out and whose free has not come back
    uint8_t freeing[GRANULES]; // frees of it that are under way
} ground;

// What the steps change outside the world.
static const struct part parts[PARTS] = {
    {classes, CLASSES_USED * sizeof classes[0]}, {&mb_hard_waiting_shared, sizeof mb_hard_waiting_shared}, {&ground, sizeof ground}};
_Static_assert(CLASSES_USED * sizeof classes[0] <= PART_BYTES && sizeof mb_hard_waiting_shared <= PART_BYTES, "parts");

int mb_os_purge(void *p, size_t bytes) { fail("%zu bytes at %p are purged", bytes, p); }

// --- locks -----------------------------------------------------------------------------------------------------------

void mb_lock(struct mb_lock_shared *lock) {
    uint32_t none = 0;
    while (!atomic_compare_exchange_strong_explicit(&lock->word, &none, 1, memory_order_acquire, memory_order_relaxed)) none = 0;
}

void mb_unlock(struct mb_lock_shared *lock) { atomic_store_explicit(&lock->word, 0, memory_order_release); }
void mb_lock_reset(struct mb_lock_shared *lock) { fail("lock %p is reset", (void *)lock); }

// --- units: in somebody's hands until they are given -----------------------------------------------------------------

static void use_unit(size_t unit) {
    if (!memory_use(1u << (UNIT_BIT + unit))) fail("unit %zu: not ordered after its last use", unit);
}

bool mb_arena_take(size_t units, size_t align_units, struct mb_span *out) {
    uint64_t seen = __atomic_load_n(&world.free_units, __ATOMIC_ACQUIRE);
    if (units != 1 || align_units != 1) fail("%zu units wanted", units);
    while (seen != 0 &&
           !__atomic_compare_exchange_n(&world.free_units, &seen, seen & (seen - 1), false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
        continue;
    if (seen == 0) return false;
    size_t unit = (size_t)__builtin_ctzll(seen);
    use_unit(unit);
    *out = (struct mb_span){.first = unit, .units = 1, .zero = true};
    return true;
}

static void give_unit(size_t unit) {
    if (ground.walled[unit]) fail("unit %zu is given with its wall", unit);
    use_unit(unit);
    if ((atomic_fetch_or_explicit(&world.free_units, UINT64_C(1) << unit, memory_order_release) >> unit & 1) != 0)
        fail("unit %zu is given twice", unit);
}

void mb_arena_give(size_t first, size_t units) { fail("%zu units at %zu are given with what is in them", units, first); }
void mb_arena_give_bare(size_t first, size_t units) { fail("%zu units at %zu are given without access", units, first); }
void mb_arena_abandon(size_t first, size_t units) { fail("%zu units at %zu are lost", units, first); }
bool mb_arena_give_renewed(size_t first, size_t units) { fail("%zu units at %zu are given anew", units, first); }
size_t mb_arena_units(void) { return UNITS; }
size_t mb_arena_decommit_all(void) { return 0; }
void mb_arena_shortage_enter(void) {}
void mb_arena_shortage_leave(void) {}

void mb_arena_give_cold(size_t first, size_t units) {
    if (units != 1) fail("%zu units are given", units);
    give_unit(first);
}

void *mb_hard_record_take(unsigned class_index) {
    void *record = NULL;
    (void)class_index;
    for (size_t i = 0; record == NULL && i < UNITS; i++)
        if (atomic_exchange_explicit(&world.cell[i], (unsigned char *)1, memory_order_acquire) == NULL)
            record = world.metadata + i * RECORD_BYTES;
    return record;
}

void mb_hard_record_give(unsigned class_index, void *record) {
    (void)class_index;
    __atomic_store_n(&world.cell[(size_t)((unsigned char *)record - world.metadata) / RECORD_BYTES], NULL, __ATOMIC_RELEASE);
}

// --- walls -----------------------------------------------------------------------------------------------------------

static size_t unit_of(const void *p) { return (size_t)((const unsigned char *)p - world.memory) / MB_UNIT_BYTES; }

enum mb_wall mb_wall_up(void *p, size_t bytes, bool must) {
    size_t unit = unit_of(p);
    if (bytes != MB_UNIT_BYTES || !must || ground.walled[unit]) fail("a wall of %zu bytes at unit %zu", bytes, unit);
    use_unit(unit);
    ground.walled[unit] = true;
    memset(p, 0, bytes);
    return MB_WALL_ADVICE;
}

bool mb_wall_down(void *p, size_t bytes, bool by_access) {
    size_t unit = unit_of(p);
    if (bytes != MB_UNIT_BYTES || by_access || !ground.walled[unit]) fail("no wall of %zu bytes at unit %zu", bytes, unit);
    use_unit(unit);
    ground.walled[unit] = false;
    return true;
}

bool mb_wall_by_advice(void *p, size_t bytes) { fail("a wall of %zu bytes by advice at unit %zu", bytes, unit_of(p)); }
bool mb_wall_wanted(size_t number) { return number >= UNITS; }
void mb_wall_forget(size_t count) {
    if (count != 0) fail("%zu walls are forgotten", count);
}

void mb_hard_wrong_written(const void *slot) {
    fail("slot %zu was written to", (size_t)((const unsigned char *)slot - world.memory) / MB_GRANULE);
}
bool mb_hard_is_ending(void) { return false; }

// --- operations ------------------------------------------------------------------------------------------------------

static size_t granule_of(const unsigned char *p) { return (size_t)(p - world.memory) / MB_GRANULE; }

static unsigned char *take(unsigned class_index, size_t bytes) {
    unsigned char *p = mb_hard_small_alloc(class_index, bytes);
    if (p == NULL) return NULL;
    size_t granule = granule_of(p);
    if (!within(p, world.memory, sizeof world.memory) || ground.walled[unit_of(p)]) fail("malloc returned %p", (void *)p);
    if (++ground.lives[granule] > 1 + ground.freeing[granule]) fail("granule %zu handed out twice", granule);
    if (!memory_use(1u << granule)) fail("granule %zu: not ordered after its last use", granule);
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != 0) fail("granule %zu is not zero", granule);
    memset(p, 0x40 + (int)granule, bytes);
    return p;
}

// As core/hardened/hardened.c: what is no slab any more was freed.
static void release(unsigned char *p) {
    if (p == NULL) return; // no memory was left
    size_t granule = granule_of(p);
    struct mb_unit *unit = mb_unit_at(unit_of(p));
    ground.freeing[granule]++;
    enum mb_hard_fault fault = mb_unit_kind(unit) == MB_UNIT_HARD_SLAB ? mb_hard_small_free(unit, p) : MB_HARD_FREED;
    ground.freeing[granule]--;
    if (fault == MB_HARD_FINE && ground.lives[granule]-- == 0) fail("granule %zu freed twice", granule);
    if (fault == MB_HARD_OVERFLOW || fault == MB_HARD_UNDERFLOW || fault == MB_HARD_WRITTEN) fail("granule %zu: fault %d", granule, fault);
}

static void give_own(unsigned index) {
    unsigned char *p = world.own[index][--world.owned[index]];
    if (p != NULL && !memory_use(1u << granule_of(p))) fail("granule %zu: not ordered after its last use", granule_of(p));
    release(p);
}

void script_operation(unsigned index, char operation) {
    unsigned char *p;
    switch (operation) {
    case 'm':
    case 'M':
        p = operation == 'm' ? take(CLASS, BYTES) : take(LONG_CLASS, LONG_BYTES);
        if (world.owned[index] == PRESETS) fail("script too long");
        world.own[index][world.owned[index]++] = p;
        break;
    case 'f': give_own(index); break;
    case 'w': (void)mb_hard_waiting_flush(); break;
    default: release(world.preset[operation - '0']); break;
    }
}

// --- the setup -------------------------------------------------------------------------------------------------------

static void set_up_world(void) {
    world_begin();
    memcpy(script_parts, parts, sizeof parts);
    memset(classes, 0, sizeof classes);
    memset(&mb_hard_waiting_shared, 0, sizeof mb_hard_waiting_shared);
    memset(&ground, 0, sizeof ground);
    world.free_units = (1u << UNITS) - 1;
    mb_space.base = (uintptr_t)world.memory;
    mb_space.table = world.table;
    mb_space.bytes = sizeof world.memory;
    mb_thread_number_or_0 = THREAD;
    mb_hard_waiting_init(1, UNITS * MB_UNIT_BYTES);
}

void script_set_up(void) {
    set_up_world();
    for (const char *at = scenario->setup; *at != '\0'; at++) {
        if (*at == 'b')
            mb_hard_waiting_init(1, 0);
        else if (*at == 'd')
            classes[CLASS].delay = classes[LONG_CLASS * MB_HARD_SHARDS].delay = 1;
        else if (*at != 'm' && *at != 'M')
            script_operation(0, *at);
        else
            world.preset[world.presets++] = *at == 'm' ? take(CLASS, BYTES) : take(LONG_CLASS, LONG_BYTES);
    }
}

bool script_is_constant(const volatile void *p) {
    (void)p;
    return false;
}

const char *place_name(const volatile void *p) {
    if (p == &mb_hard_waiting_shared.lock.word) return "lock of the quarantine";
    if (within(p, world.table, sizeof world.table)) return "descriptor";
    if (p == &world.free_units) return "arena";
    return within(p, classes, sizeof classes) ? "class" : "elsewhere";
}

const struct weakened weakenings[] = {
    {"class", EXPLORE_EXCHANGE, memory_order_relaxed, "take and free in turn"},
    {"class", EXPLORE_STORE, memory_order_relaxed, "take and free in turn"},
    {"lock of the quarantine", EXPLORE_EXCHANGE, memory_order_relaxed, "a slab goes, the quarantine is emptied"},
    {"lock of the quarantine", EXPLORE_STORE, memory_order_relaxed, "a slab goes, the quarantine is emptied"},
    {NULL, EXPLORE_LOAD, 0, NULL},
};

// --- the end of a run ------------------------------------------------------------------------------------------------

static unsigned lives_in(size_t unit) {
    unsigned lives = 0;
    for (size_t g = 0; g < GRANULES_PER_UNIT; g++) lives += ground.lives[unit * GRANULES_PER_UNIT + g];
    return lives;
}

static void check_drawn(const struct mb_hard_class_shared *class) {
    for (uint32_t i = 0; i < class->drawn_count; i++) {
        uint32_t slot = class->drawn[i];
        const struct mb_hard_slab *slab = class->current;
        if (slot >= slab->opened || mb_hard_bit(slab->live, slot) || mb_hard_bit(slab->ready, slot)) fail("slot %u was drawn", slot);
        for (uint32_t j = 0; j < i; j++)
            if (class->drawn[j] == slot) fail("slot %u was drawn twice", slot);
    }
}

static void check_class(const struct mb_hard_class_shared *class, unsigned number, unsigned slabs) {
    unsigned empties = 0;
    for (struct mb_hard_slab *slab = mb_hard_slab_at(class->first); slab != NULL; slab = mb_hard_slab_at(slab->next)) {
        if (!slab->listed || slab->class_number != number) fail("a slab on the list of class %u that is none of it", number);
        empties += slab->live_count == 0;
    }
    check_drawn(class);
    if (class->lock.word != 0 || class->in_hand != 0) fail("class %u is in somebody's hands", number);
    if (class->slabs != slabs || class->empties != empties) fail("class %u: %u slabs, %u empties", number, class->slabs, class->empties);
}

void script_check_end(void) {
    unsigned slabs[CLASSES_USED] = {0}, waiting = 0;
    for (size_t i = 0; i < UNITS; i++) {
        enum mb_unit_kind kind = mb_unit_kind(mb_unit_at(i));
        const struct mb_hard_slab *slab = mb_hard_slab_of(mb_unit_at(i));
        bool is_free = (world.free_units >> i & 1) != 0, is_slab = kind == MB_UNIT_HARD_SLAB, waits = kind == MB_UNIT_HARD_WAITING;
        if (is_free + is_slab + waits != 1 || ground.walled[i] != waits) fail("unit %zu: kind %d", i, kind);
        if (lives_in(i) != (is_slab ? slab->live_count : 0)) fail("unit %zu: %u blocks live", i, lives_in(i));
        if (is_slab) slabs[slab->class_number]++;
        waiting += waits;
    }
    if (mb_hard_waiting_shared.lock.word != 0 || mb_hard_waiting_shared.count != waiting || mb_hard_waiting_units() != waiting)
        fail("%u units wait", waiting);
    check_class(&classes[CLASS], CLASS, slabs[CLASS]);
    check_class(&classes[LONG_CLASS * MB_HARD_SHARDS], LONG_CLASS * MB_HARD_SHARDS, slabs[LONG_CLASS * MB_HARD_SHARDS]);
}
