// The arena at a finer grain: runs of pieces of 4 KiB for blocks of 32 KiB to 512 KiB, of which whole units would waste
// up to half.
//
// What: units are taken from the arena and their pieces handed out, the lowest run that is long enough first, so that
// one block ends and the next one begins in the same unit. Whole units that are free again go back to the arena when
// there is much of that, at the purge clock's ticks, and before the arena grows. Lengths and places are multiples of
// the system's page.
// Who: any thread, without locks: a map of pieces as the arena has one of units (core/region/unit_map.h), under the
// same rules.
// Invariant: a piece of a unit that the arena has handed out to here is free (its bit), covered by one block, or in the
// hands of one thread.
#ifndef MB_CORE_REGION_PIECES_H
#define MB_CORE_REGION_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "core/region/space.h"
#include "platform/compiler.h"

// Pieces of the window, counted from its base.
struct mb_run {
    size_t first, pieces;
    bool zero; // no page, or none but zeros
};

MB_INLINE void *mb_piece_address(size_t piece) { return (void *)(mb_space.base + (piece << MB_PIECE_SHIFT)); }
MB_INLINE size_t mb_piece_of(const void *p) { return ((uintptr_t)p - mb_space.base) >> MB_PIECE_SHIFT; }
MB_INLINE size_t mb_pieces_in(size_t units) { return units << (MB_UNIT_SHIFT - MB_PIECE_SHIFT); }
MB_INLINE size_t mb_units_for(size_t pieces) { return (pieces + MB_UNIT_PIECES - 1) / MB_UNIT_PIECES; }

// Makes the map reach so many units, as far as it goes; false when metadata is refused. Under the arena's lock.
bool mb_pieces_extend(size_t units);

// Takes so many pieces at a multiple of `align` pieces (a power of two, at most a unit's): of those that are free here
// / and else of fresh units. Where the map does not reach it is whole units. False: none / no memory.
bool mb_pieces_take_held(size_t pieces, size_t align, struct mb_run *out);
bool mb_pieces_take(size_t pieces, size_t align, struct mb_run *out);
// Takes exactly these pieces if they are free.
bool mb_pieces_take_at(size_t first, size_t pieces, bool *zero);

// Gives pieces back: as they are / known to hold zeros and no pages / with a fresh mapping in their place (false:
// refused, and they may be given as they are). A long run's whole units go to the arena.
void mb_pieces_give(size_t first, size_t pieces);
void mb_pieces_give_cold(size_t first, size_t pieces);
bool mb_pieces_give_renewed(size_t first, size_t pieces);
// The whole units of a run that the arena gets at once: none of a short one.
struct mb_run mb_pieces_whole_units(size_t first, size_t pieces);

// Whole units that are free go back to the arena: all of them / so many, found in 64 chunks of the map at most.
void mb_pieces_settle(void);
void mb_pieces_settle_some(size_t units);
// Those that were free at the last look already do, and the pages of other such pieces go back to the system: all, by
// the helper / in a thread that does its work at a tick of the purge clock, those of the next 16 GiB of the window /
// when since the last time 2 MiB have come free (a sixteenth of the heap, to 8 MiB, while others are taken), those of
// the next GiB.
void mb_pieces_age(void);
void mb_pieces_age_at_tick(void);
void mb_pieces_age_some(void);
bool mb_pieces_are_many_free(void);
// Gives back the pages of all free pieces; how many, in units.
size_t mb_pieces_purge(void);

size_t mb_pieces_warm_units(void); // free pieces that hold pages, in units

// The free pieces of a unit, a bit each. In a forked child, alone: makes pieces that an absent thread had in its hands
// free again; and what the tree and the counters say, after that.
uint32_t mb_pieces_free_in(size_t unit);
void mb_pieces_recover_lost(size_t unit, uint32_t pieces);
void mb_pieces_recover(void);

#endif
