// What the explorer's parts share: the world (all memory that steps change), the fibers, and the functions of each
// part.
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

// Scripts; each character is an operation:
//   m M   malloc of 16 (four a slab) or 32 bytes (two a slab); S: malloc and free one of 48 (one a slab)
//   f     free the newest own block           0-7  free that block of the setup
//   p g   put the newest own block into the next cell; wait for the next cell and free what is there
//   t     claim every empty slab, as malloc_trim and the helper do      x  the thread exits
struct scenario {
    const char *name;
    const char *setup;          // run by fiber 0's heap before the fibers start
    const char *script[FIBERS]; // NULL: no such fiber
    unsigned page_bytes;        // how much memory one carving may touch: 64 carves a whole slab
    const char *heapless;       // digits of the fibers that only free and have no heap
};

// All memory that the steps change, except for the fibers and the atomics inside the core's own files.
extern struct world {
    _Alignas(4096) unsigned char memory[UNITS * MB_UNIT_BYTES];
    struct mb_unit table[UNITS];
    struct mb_heap heaps[FIBERS];
    _Alignas(16) unsigned char metadata[METADATA_BYTES];
    size_t metadata_used;
    uint64_t free_units;             // one bit for each unit
    uint8_t live[GRANULES];          // for granule 0 of a live block: its number of granules; else 0
    unsigned char *preset[PRESETS];  // blocks of the setup
    size_t presets;
    unsigned char *own[FIBERS][PRESETS];
    size_t owned[FIBERS];
    unsigned char *cell[CELLS];
    size_t put, got;
    bool waits[FIBERS];              // the fiber waits for cell[got]
    uintptr_t sleeps_on[FIBERS];     // the address of the word that the fiber sleeps on, or 0
    uint32_t inside;                 // explore_commons.c: which fiber is in which commons
    bool over;                       // a mistake in the script was reported: the run ends
    unsigned script_at[FIBERS];      // the next character of the script
    uint32_t knows[FIBERS];          // bit g: the last access to granule g happens before the fiber's next step
    uint8_t old_reads;               // how many more loads may still return an older value
    uint8_t view[FIBERS][PLACES];    // how many of a place's older values the fiber may still read
    struct place {                   // an atomic and its last values
        struct message {
            uint64_t value;
            uint32_t carries;        // the `knows` that a fiber gains by an acquire of this value
            uint8_t view[PLACES];    // and the limits on older values that it gains
        } message[PICKS];            // newest first
        uint8_t older;               // how many older values there are after the newest
        uint8_t in_order;            // how many of these a sequentially consistent load may return
        bool met;
    } place[PLACES];
} world;

// --- explore.c ------------------------------------------------------------------------------------------------------

extern const struct scenario *scenario; // the scenario that is being explored

// Ends the scenario: the search reports the schedule that led here.
__attribute__((format(printf, 1, 2))) _Noreturn void fail(const char *format, ...);

// What the core's own functions of these names (mb_fatal ...) are replaced by: mistakes and failed assertions end the
// scenario, a page has as many bytes as the scenario says.
_Noreturn void explore_fatal(const char *what, const void *address);
_Noreturn void explore_assert_failed(const char *condition, const char *file, int line);
size_t explore_page_size(void);

// --- explore_fibers.c -----------------------------------------------------------------------------------------------

extern int current;  // the fiber that runs; NOBODY: accesses are not steps
extern bool tracing; // print each step

bool within(const volatile void *p, const void *start, size_t bytes);

// MORE_HEAPS heaps that are not in the world but are saved and restored with it; NULL: none.
extern struct mb_heap *more_heaps;

// Plain data in the core's own files, outside the world, that steps change; set by script_set_up. `bytes` 0: unused.
extern struct part {
    void *start;
    size_t bytes; // PART_BYTES at most
} script_parts[PARTS];

void fibers_start(void);         // makes the scenario's fibers, each before its first operation
void fibers_forget_strays(void); // restores what a scenario has changed outside the world
const volatile void *fibers_stray(size_t i); // the i-th atomic outside the world written since then; NULL: there were fewer
void fibers_begin(void);         // records the present state as the state at the start of a run
void fiber_step(unsigned choice); // fiber * PICKS + pick: runs the fiber up to its next atomic access; a load returns the pick-th newest value
void fiber_pause(void);          // a step that is not an atomic access
unsigned fiber_picks(unsigned index); // the picks that the fiber's next access allows, one bit each
bool fiber_is_done(unsigned index);

// A hash of the whole state (memory and fibers), never 0; a copy of it, and the return to that copy. `slot` is below
// STEPS_MAX, or FIRST_STATE.
uint64_t state_hash(void);
void state_save(size_t slot);
void state_restore(size_t slot);

// --- explore_memory.c -----------------------------------------------------------------------------------------------

enum { OLD_READS = 2 };
extern bool weak; // loads may return older values

// The weakening in force: accesses of this kind to places with this name get a weaker memory order. NULL: none.
extern const struct weakened {
    const char *place;
    enum explore_kind kind;
    int to; // memory_order
    const char *scenario; // the scenario that must then fail
} *weakened;

uint64_t value_at(const volatile void *p, size_t bytes);
const char *place_name(const volatile void *p); // defined by explore_script.c or one of its kind
extern const struct weakened weakenings[]; // likewise; each must be detected; the last one has no place
int weaker(const volatile void *address, enum explore_kind kind, int order);

void memory_forget(void);               // at the beginning of a scenario
void world_begin(void);                 // makes an empty world, every part of which all fibers may use
unsigned memory_picks(unsigned fiber, const struct explore_access *access);
void memory_pick(unsigned pick);        // chooses the value for the access that follows
bool memory_meet(const struct explore_access *access); // call it before the access; true: it reads an older value
void memory_read(const volatile void *address, void *value, size_t bytes, int order);
void memory_written(const volatile void *address, size_t bytes, enum explore_kind kind, int order);
// The current fiber uses the parts of the world with these bits by plain accesses. False if that is not ordered after
// their last use, which this one then becomes. Outside of fibers always true.
bool memory_use(uint32_t bits);
uint64_t memory_hash(void);

// --- explore_blocks.c, explore_map.c or one of its kind --------------------------------------------------------------

extern const struct scenario scenarios[]; // the last one has no name

void script_set_up(void);          // makes an empty world, then runs the scenario's setup
void script_operation(unsigned index, char operation); // executes one character of a fiber's script
void script_check_end(void);       // called when all fibers are done
bool script_is_constant(const volatile void *p); // whether no fiber writes it

// --- explore_ground.c and explore_blocks.c; the second half by explore_script.c or explore_commons.c -----------------

size_t ground_granule_of(const unsigned char *p);
void ground_check_units(void);
unsigned char *blocks_allocated(unsigned char *p, size_t bytes); // notes the new block p (NULL: no memory) and returns it
void blocks_keep(unsigned index, unsigned char *p);              // makes it the fiber's newest block

bool blocks_operation(unsigned index, char operation); // executes an operation that all scenarios of slabs have; false: there is no such operation
void blocks_set_up(void);                              // called before the scenario's setup
void blocks_check_end(void);                           // called when all threads have exited
const char *blocks_place_name(const volatile void *p);

#endif
