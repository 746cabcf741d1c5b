// What the explorer's three parts share: the world that the steps change, the fibers, and what each part offers.
//
//   explore.c          scenarios, the search over all orders of steps, the report of a failure
//   explore_fibers.c   fibers, atomic accesses as steps, states to come back to
//   explore_memory.c   what an atomic access may read, and what it lets a fiber know
//   explore_ground.c, explore_blocks.c  the arena under slabs, the operations of a script, the checks
//   explore_script.c   scenarios of slabs; explore_commons.c: of heaps that threads share
//   explore_map.c      instead of these three: the map of units; explore_pieces.c: that of pieces; explore_slots.c: the
//                      slots of guarded samples; explore_kept.c: large blocks that are kept; explore_quarantine.c: the hardened
//                      front's slabs
//
// Who: one system thread.
#ifndef MB_TESTS_RACE_EXPLORE_H
#define MB_TESTS_RACE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/race/explore_atomics.h"

#include "core/heap/self.h"
#include "core/region/unit.h"

enum {
    UNITS = 3,
    FIBERS = 3,
    GRANULES = UNITS * MB_UNIT_BYTES / MB_GRANULE,
    GRANULES_PER_UNIT = MB_UNIT_BYTES / MB_GRANULE,
    PRESETS = 8,
    CELLS = 4,
    STRAYS = 160,         // atomics outside the world
    PLACES = 128,
    OLDER = 2,            // values of an atomic that are kept besides the newest
    PICKS = 1 + OLDER,    // what a load may find
    STACK_BYTES = 32 << 10,
    SAVED_STACK_BYTES = 6 << 10,
    STACK_SLACK = 256, // below the marked end of a live stack: what the switch itself saves there
    STEPS_MAX = 2000,
    FIRST_STATE = STEPS_MAX,
    METADATA_BYTES = 512,
    MORE_HEAPS = 4,
    PARTS = 3,
    PART_BYTES = 1536,
    NOBODY = -1,
};

// Scripts, a character an operation:
//   m M   malloc of 16 (four a slab) or 32 bytes (two a slab); S: malloc and free one of 48 (one a slab)
//   f     free the newest own block           0-7  free that block of the setup
//   p g   put the newest own block into the next cell; wait for the next cell and free what is there
//   t     claim every empty slab, as malloc_trim and the helper do      x  the thread exits
struct scenario {
    const char *name;
    const char *setup;          // by fiber 0's heap, alone
    const char *script[FIBERS]; // NULL: no such fiber
    unsigned page_bytes;        // what one carve may touch: 64 carves a whole slab
    const char *heapless;       // digits of the fibers that only free and have no heap
};

// Everything that the steps change, apart from fibers and from atomics inside the core's own files.
extern struct world {
    _Alignas(4096) unsigned char memory[UNITS * MB_UNIT_BYTES];
    struct mb_unit table[UNITS];
    struct mb_heap heaps[FIBERS];
    _Alignas(16) unsigned char metadata[METADATA_BYTES];
    size_t metadata_used;
    uint64_t free_units;             // a bit a unit
    uint8_t live[GRANULES];          // granule 0 of a live block: its granules; else 0
    unsigned char *preset[PRESETS];  // blocks of the setup
    size_t presets;
    unsigned char *own[FIBERS][PRESETS];
    size_t owned[FIBERS];
    unsigned char *cell[CELLS];
    size_t put, got;
    bool waits[FIBERS];              // for cell[got]
    uintptr_t sleeps_on[FIBERS];     // address of the word, or 0
    uint32_t inside;                 // explore_commons.c: who is in where
    bool over;                       // a mistake of the script's was told: the run ends
    unsigned script_at[FIBERS];      // next character
    uint32_t knows[FIBERS];          // bit g: the last access of granule g happens before what the fiber does next
    uint8_t old_reads;               // that may still find an older value
    uint8_t view[FIBERS][PLACES];    // how many of a place's older values the fiber may still find
    struct place {                   // an atomic, and its last values
        struct message {
            uint64_t value;
            uint32_t carries;        // what an acquire of it lets a fiber know
            uint8_t view[PLACES];    // and which older values it may not find any more
        } message[PICKS];            // newest first
        uint8_t older;               // how many there are behind the newest
        uint8_t in_order;            // how many of these a sequentially consistent load may find
        bool met;
    } place[PLACES];
} world;

// --- explore.c ------------------------------------------------------------------------------------------------------

extern const struct scenario *scenario; // the one under way

// Ends the scenario: the search reports the schedule that led here.
__attribute__((format(printf, 1, 2))) _Noreturn void fail(const char *format, ...);

// --- explore_fibers.c -----------------------------------------------------------------------------------------------

extern int current;  // the fiber that runs, or NOBODY: then nothing is a step
extern bool tracing; // print each step

bool within(const volatile void *p, const void *start, size_t bytes);

// Heaps outside the world that belong to it, MORE_HEAPS of them; NULL: none.
extern struct mb_heap *more_heaps;

// Plain data of the core's own files, outside the world, that steps change: set by script_set_up. Without bytes: none.
extern struct part {
    void *start;
    size_t bytes; // PART_BYTES at most
} script_parts[PARTS];

void fibers_start(void);         // the scenario's fibers, each before its first operation
void fibers_forget_strays(void); // puts back what a scenario has changed outside the world
const volatile void *fibers_stray(size_t i); // the i-th atomic outside the world that was written since then; NULL: so many were not
void fibers_begin(void);         // what is there now is the state at the start of a run
void fiber_step(unsigned choice); // fiber * PICKS + pick: runs it up to its next atomic access; a load finds the pick-th newest value
void fiber_pause(void);          // a step that is no access of an atomic
unsigned fiber_picks(unsigned index); // those that it has, a bit each
bool fiber_is_done(unsigned index);

// Memory, fibers and all: a hash, never 0; and a copy that can be gone back to. `slot` is below STEPS_MAX, or
// FIRST_STATE.
uint64_t state_hash(void);
void state_save(size_t slot);
void state_restore(size_t slot);

// --- explore_memory.c -----------------------------------------------------------------------------------------------

enum { OLD_READS = 2 };
extern bool weak; // loads may find older values

// The accesses of this kind to places of that name get a weaker order; or NULL.
extern const struct weakened {
    const char *place;
    enum explore_kind kind;
    int to; // memory_order
    const char *scenario; // that fails then
} *weakened;

uint64_t value_at(const volatile void *p, size_t bytes);
const char *place_name(const volatile void *p); // by explore_script.c or one of its kind
extern const struct weakened weakenings[]; // by the same; each must be found, the last one has no place
int weaker(const volatile void *address, enum explore_kind kind, int order);

void memory_forget(void);               // a scenario begins
void world_begin(void);                 // an empty world, whose every part all fibers may use
unsigned memory_picks(unsigned fiber, const struct explore_access *access);
void memory_pick(unsigned pick);        // of the access that follows
bool memory_meet(const struct explore_access *access); // before it; true: on an older value
void memory_read(const volatile void *address, void *value, size_t bytes, int order);
void memory_written(const volatile void *address, size_t bytes, enum explore_kind kind, int order);
// The current fiber uses the parts of the world with these bits, without an atomic access. False: it is not ordered
// after their last use. From then on their last use is this one. Outside of fibers always true.
bool memory_use(uint32_t bits);
uint64_t memory_hash(void);

// --- explore_blocks.c, explore_map.c or one of its kind --------------------------------------------------------------

extern const struct scenario scenarios[]; // the last one has no name

void script_set_up(void);          // an empty world, then the scenario's setup
void script_operation(unsigned index, char operation); // one character of a fiber's script
void script_check_end(void);       // all fibers are done
bool script_is_constant(const volatile void *p); // no fiber writes it

// --- explore_ground.c and explore_blocks.c; the second half by explore_script.c or explore_commons.c -----------------

size_t ground_granule_of(const unsigned char *p);
void ground_check_units(void);
unsigned char *blocks_allocated(unsigned char *p, size_t bytes); // p, which is new (NULL: no memory)
void blocks_keep(unsigned index, unsigned char *p);              // it is the fiber's newest block

bool blocks_operation(unsigned index, char operation); // one more than those above; false: there is none
void blocks_set_up(void);                              // before the scenario's setup
void blocks_check_end(void);                           // all threads have left
const char *blocks_place_name(const volatile void *p);

#endif
