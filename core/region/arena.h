// The arena: the process-wide window of address space, handed out in spans of 64 KiB units.
//
// What: spans are runs of bits claimed by compare-and-swap on bitmaps, lowest address first, warm spans (whose pages
// were touched and not given back) before cold ones. The committed front grows only when no free run fits.
// Who: any thread. Taking and giving need no lock; growing takes one that a forked child resets.
// Invariant: a unit is free (bit set), or described by exactly one span's descriptor, or in the hands of one thread.
#ifndef MB_CORE_REGION_ARENA_H
#define MB_CORE_REGION_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/region/span.h"

// Chooses the windows and reserves their first pieces. `random` are two random words. False: the system refused even
// that.
bool mb_arena_init(const uint64_t random[2]);

// Names the arena's mappings in /proc/PID/maps, where the kernel can (Linux 5.17). Before mb_arena_init.
void mb_arena_name(void);

// What the arena grows by from now on gets no huge pages but those that are asked for. Any thread.
void mb_arena_grow_small(void);

// Takes `units` units whose address is a multiple of `align_units` units (a power of two). False: no memory.
bool mb_arena_take(size_t units, size_t align_units, struct mb_span *out);

// Takes exactly these units if all of them are free. Never grows the front.
bool mb_arena_take_at(size_t first, size_t units, bool *zero);

// Gives units back, warm. Their descriptors are MB_UNIT_NONE.
void mb_arena_give(size_t first, size_t units);

// Gives units back that are known to hold zeros and no pages.
void mb_arena_give_cold(size_t first, size_t units);
// The same for units that are reserved, and not committed any more.
void mb_arena_give_bare(size_t first, size_t units);
// Never uses these units again, since a foreign mapping may be in them; a forked child leaves them alone, too.
void mb_arena_abandon(size_t first, size_t units);

// Gives the pages of at most `max_units` free warm units back to the system, highest addresses first. Returns the
// number of units.
size_t mb_arena_purge_any(size_t max_units);

// A step of the purge clock: it visits every free warm unit once a pass, from the highest address on, gives back those
// that were free and warm when the last pass came past them, and marks the others. It ends after so many units, or some
// thousand words of the map.
struct mb_purge_step {
    size_t units;
    bool ends_pass;
};
struct mb_purge_step mb_arena_purge_step(size_t max_units);

// The same for all free units, and takes their commit charge too, warm or not: from runs of 2 MiB and more (each costs
// up to two mappings), or, when memory is short, from all. Such units are committed again when they are taken, which
// the system may refuse.
size_t mb_arena_decommit_long(void);
size_t mb_arena_decommit_all(void);

// While units are being purged they are claimed by the thread that does it, and a search does not find them. Before a
// thread reports that there is no memory it tries again between these two calls, during which no other thread purges:
// mb_arena_decommit_all, then take.
void mb_arena_shortage_enter(void);
bool mb_arena_shortage_try_enter(void); // false: another thread, or this one, has entered
void mb_arena_shortage_leave(void);

// Walks over slabs read no descriptor of other units. A unit is noted before it becomes a slab, and forgotten after it
// was one.
void mb_arena_note_slab(size_t unit);
void mb_arena_forget_slab(size_t unit);
// The first unit from `unit` on that is noted as a slab (check its kind) / likewise among MB_NEAR_UNITS units / that is
// neither free nor noted: the first unit of a large block, or one that a thread is working on. MB_NO_UNIT: none.
enum { MB_NEAR_UNITS = 1 << 16 };
size_t mb_arena_next_slab(size_t unit);
size_t mb_arena_next_slab_near(size_t unit);
size_t mb_arena_next_other(size_t unit);

size_t mb_arena_units(void);            // units of the front: descriptors below this may be read
size_t mb_arena_warm_free_units(void);
bool mb_arena_is_free(size_t unit);
bool mb_arena_is_warm(size_t unit); // its pages were used and have not been given back; in use a unit counts as warm
// Whether it was free and warm at the last tick, and has been since.
bool mb_arena_is_aged(size_t unit);
size_t mb_arena_reserved_bytes(void);   // address space of window and metadata
size_t mb_arena_metadata_bytes(void);   // committed for metadata
uint64_t mb_arena_spans_taken(void);
uint64_t mb_arena_purged_bytes(void);
uint64_t mb_arena_fresh_bytes(void); // taken without pages since the start

// Where the arena's memory is: the user's blocks, the descriptors, other metadata.
enum { MB_ARENA_FRONT, MB_ARENA_TABLE, MB_ARENA_METADATA, MB_ARENA_RANGES };
struct mb_arena_range {
    uintptr_t base;
    size_t committed, mapped; // bytes
};
void mb_arena_ranges(struct mb_arena_range out[MB_ARENA_RANGES]);

// Metadata from the separate window: zeroed, aligned to `align` (a power of two), never given back. NULL: refused. Any
// thread.
void *mb_arena_metadata(size_t bytes, size_t align);

// In a forked child, while it has one thread: frees the lock, and every unit that a thread of the parent was taking or
// giving.
void mb_arena_recover(void);

#endif
