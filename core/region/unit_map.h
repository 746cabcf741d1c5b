// Five bits for every unit of an arena: of malloc's (core/region/arena.h), or of a member's
// (core/region/span_source.h); and a tree over them.
//
//   free   the unit may be claimed                       set and cleared by compare-and-swap, any thread
//   warm   the unit may hold pages, and other than zero  written only by who holds the unit (is clearing or setting `free`)
//   bare   the unit's memory is not committed               likewise
//   aged   the unit was free and warm at the last tick   written by the ticking thread, cleared by who claims the unit
//   slab   the unit is a slab, or is about to be, or was   written by who holds the unit; for walks over slabs alone
//
// What: a run of free units is found in a number of steps that does not depend on how many units there are
// (core/region/map_find.c), by the summaries of core/region/map_runs.h, which are hints: whether a run is free its own
// bits say.
// Order: `free` is set with release after everything else about the unit, and claimed with acquire.
// Who: any thread, without locks; chunks of the map are added, by one thread at a time, before their units exist.
#ifndef MB_CORE_REGION_UNIT_MAP_H
#define MB_CORE_REGION_UNIT_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/region/run.h"
#include "core/region/span.h"
#include "platform/compiler.h"

enum {
    MB_MAP_CHUNK_WORDS = 64,
    MB_MAP_CHUNK_UNITS = MB_MAP_CHUNK_WORDS * 64,
};

// The sets of units for which there is a tree. That of COMMITTED is used only once a unit is bare (mb_map_begin_bare);
// before that it equals FREE.
enum mb_map_plane { MB_MAP_FREE, MB_MAP_WARM, MB_MAP_COMMITTED, MB_MAP_PLANES };

// Eight stretches side by side: core/region/run.h.
struct mb_map_runs_shared {
    _Atomic uint64_t part[MB_MAP_PLANES][MB_RUN_PARTS];
} MB_CACHE_ALIGNED;

// What a program has done to the pages of a unit: core/region/changed.h.
enum mb_map_note { MB_MAP_HINTED, MB_MAP_CHANGED, MB_MAP_NOTES };

// What is known of 64 units, on a cache line of its own: threads that take units of different words do not meet.
struct mb_map_word_shared {
    _Atomic uint64_t free, warm, bare, aged, slab;
    _Atomic uint64_t spans;               // claimed from here on, ever: a statistic, by who claims
    _Atomic uint64_t noted[MB_MAP_NOTES]; // any thread, relaxed
} MB_CACHE_ALIGNED;

struct mb_map_chunk_shared {
    struct mb_map_runs_shared parts;                                    // level 2
    struct mb_map_runs_shared words[MB_MAP_CHUNK_WORDS / MB_RUN_PARTS]; // level 1: a part is a word
    struct mb_map_word_shared word[MB_MAP_CHUNK_WORDS];
};

// Read by every search, almost never written.
struct mb_map_top_shared {
    _Atomic uint32_t raised;      // levels above the first: up to that whose first eight parts are the whole map; by who extends the map
    _Atomic bool keeps_committed; // whoever changes bits keeps that plane, too; set by who makes the first unit bare
    _Atomic bool has_committed;   // and it is complete; set after that
    _Atomic size_t looked;        // a unit behind which searches for aligned runs go on; any thread, relaxed
} MB_CACHE_ALIGNED;

// Chunks are written once each, before their units exist (release).
struct mb_unit_map {
    _Atomic(struct mb_map_chunk_shared *) *chunks;
    size_t limit; // how many chunks there may be
    struct mb_map_top_shared *top;
    struct mb_map_runs_shared *upper; // the levels above the chunks: mb_map_upper_runs(limit) of them, zeroed
};

// How many eights a level above the chunks has, with so many chunks / all of these levels, up to that which has one.
enum { MB_MAP_LEVEL_UPPER = 3 };
MB_INLINE size_t mb_map_eights(size_t chunks, unsigned level) { return ((chunks - 1) >> 3 * (level - 2)) + 1; }
size_t mb_map_upper_runs(size_t chunks);

// Makes the map reach `units`, with chunks that `make` gives (zeroed, aligned to 64); false when it refuses. One caller
// at a time.
bool mb_map_extend(const struct mb_unit_map *map, size_t units, struct mb_map_chunk_shared *(*make)(void *), void *context);

// The lowest run of `units` free units that starts at a multiple of `align` units (a power of two) counted so that
// (first + phase) % align == 0; MB_NO_UNIT if none. Of any kind, or all of them warm, or none of them bare. With an
// alignment the lowest one is found among the first runs that are long enough; else any that fits wherever it starts;
// other runs that fit may be found at a later call.
struct mb_map_query {
    size_t units, align, phase;
};
size_t mb_map_find(const struct mb_unit_map *map, enum mb_map_plane plane, const struct mb_map_query *query);

// The lowest unit from which on all units up to `end` are free.
size_t mb_map_free_before(const struct mb_unit_map *map, size_t end);

// The highest word (64 units) below `word` that has a unit of the plane / the next one from `word` on; MB_NO_UNIT if
// none.
size_t mb_map_word_below(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word);
size_t mb_map_word_from(const struct mb_unit_map *map, enum mb_map_plane plane, size_t word);

// Claims exactly these units: all or none.
bool mb_map_claim(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_release(const struct mb_unit_map *map, size_t first, size_t units);

// A span that begins here has been claimed; all that were.
void mb_map_count_span(const struct mb_unit_map *map, size_t first);
uint64_t mb_map_spans(const struct mb_unit_map *map, size_t end);

bool mb_map_is_free(const struct mb_unit_map *map, size_t unit);
size_t mb_map_count_warm(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_set_warm(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_set_cold(const struct mb_unit_map *map, size_t first, size_t units);
size_t mb_map_count_bare(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_set_committed(const struct mb_unit_map *map, size_t first, size_t units);
// After mb_map_begin_bare.
void mb_map_set_bare(const struct mb_unit_map *map, size_t first, size_t units);

// Whether units may have been made bare.
MB_INLINE bool mb_map_has_bare(const struct mb_unit_map *map) {
    return atomic_load_explicit(&map->top->keeps_committed, memory_order_relaxed);
}
void mb_map_set_slab(const struct mb_unit_map *map, size_t unit);
void mb_map_clear_slab(const struct mb_unit_map *map, size_t unit);
// The first unit in [unit, end) that has the slab bit / that is neither free nor has it; MB_NO_UNIT if none. One word
// after the other.
size_t mb_map_next_slab(const struct mb_unit_map *map, size_t unit, size_t end);
size_t mb_map_next_other(const struct mb_unit_map *map, size_t unit, size_t end);
size_t mb_map_count_warm_free(const struct mb_unit_map *map, size_t end);

// Before units are made bare, with all units that there are. The first time it walks over the map. Any thread.
void mb_map_begin_bare(const struct mb_unit_map *map, size_t units);

// The free warm units of one word, for the purge; those that are aged too; the free units that are not bare.
uint64_t mb_map_purgeable(const struct mb_unit_map *map, size_t word);
uint64_t mb_map_purgeable_old(const struct mb_unit_map *map, size_t word);
uint64_t mb_map_decommittable(const struct mb_unit_map *map, size_t word);
// Copies free-and-warm to aged.
void mb_map_age(const struct mb_unit_map *map, size_t word);
// Claims the units of `mask` in one word; returns those it got.
uint64_t mb_map_claim_mask(const struct mb_unit_map *map, size_t word, uint64_t mask);

// Sets a note of units, asks whether any has it, takes it away.
void mb_map_note(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units);
bool mb_map_is_noted(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units);
void mb_map_forget(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units);

// In a forked child, while it has one thread: computes the tree anew, which absent threads may not have updated. A walk
// over the words of bits below `units`.
void mb_map_recover(const struct mb_unit_map *map, size_t units);

#endif
