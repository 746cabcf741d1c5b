// Four bits for every unit of an arena: of malloc's (core/region/arena.h), or of a member's (core/region/span_source.h).
//
//   free   the unit may be claimed                       set and cleared by compare-and-swap, any thread
//   warm   the unit may hold pages, and other than zero  written only by who holds the unit (is clearing or setting `free`)
//   bare   the unit's memory is not committed               likewise
//   aged   the unit was free and warm at the last tick   written by the ticking thread, cleared by who claims the unit
//
// Order: `free` is set with release after everything else about the unit, and claimed with acquire.
// Who: any thread, without locks; chunks of the map are added, by one thread at a time, before their units exist.
#ifndef MB_CORE_REGION_UNIT_MAP_H
#define MB_CORE_REGION_UNIT_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MB_MAP_CHUNK_WORDS = 64, MB_MAP_CHUNK_UNITS = MB_MAP_CHUNK_WORDS * 64 };

// What a program has done to the pages of a unit: core/region/changed.h.
enum mb_map_note { MB_MAP_HINTED, MB_MAP_CHANGED, MB_MAP_NOTES };

struct mb_map_chunk_shared {
    _Atomic uint64_t free[MB_MAP_CHUNK_WORDS];
    _Atomic uint64_t warm[MB_MAP_CHUNK_WORDS];
    _Atomic uint64_t bare[MB_MAP_CHUNK_WORDS];
    _Atomic uint64_t aged[MB_MAP_CHUNK_WORDS];
    _Atomic uint64_t noted[MB_MAP_NOTES][MB_MAP_CHUNK_WORDS]; // any thread, relaxed
};

// Chunks are written once each, before their units exist (release).
struct mb_unit_map {
    _Atomic(struct mb_map_chunk_shared *) *chunks;
    size_t limit; // how many chunks there may be
};

static const size_t MB_NO_UNIT = SIZE_MAX;

// Makes the map reach `units`, with chunks that `make` gives (zeroed, aligned to 64); false when it refuses. One caller at a time.
bool mb_map_extend(const struct mb_unit_map *map, size_t units, struct mb_map_chunk_shared *(*make)(void *), void *context);

// The lowest run of `units` free units below `end` that starts at a multiple of `align` units counted so that
// (first + phase) % align == 0; MB_NO_UNIT if none. Of any kind, or all of them warm, or none of them bare.
struct mb_map_query {
    size_t units, align, phase, end;
};
size_t mb_map_find_free(const struct mb_unit_map *map, const struct mb_map_query *query);
size_t mb_map_find_warm(const struct mb_unit_map *map, const struct mb_map_query *query);
size_t mb_map_find_committed(const struct mb_unit_map *map, const struct mb_map_query *query);

// Claims exactly these units: all or none.
bool mb_map_claim(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_release(const struct mb_unit_map *map, size_t first, size_t units);

bool mb_map_is_free(const struct mb_unit_map *map, size_t unit);
size_t mb_map_count_warm(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_set_warm(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_set_cold(const struct mb_unit_map *map, size_t first, size_t units);
size_t mb_map_count_bare(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_set_bare(const struct mb_unit_map *map, size_t first, size_t units);
void mb_map_set_committed(const struct mb_unit_map *map, size_t first, size_t units);

// Copies free-and-warm to aged below `end`.
void mb_map_age(const struct mb_unit_map *map, size_t end);
// The free warm units of one word (64 units), for the purge; those that are aged too; the free units that are not bare.
uint64_t mb_map_purgeable(const struct mb_unit_map *map, size_t word);
uint64_t mb_map_purgeable_old(const struct mb_unit_map *map, size_t word);
uint64_t mb_map_decommittable(const struct mb_unit_map *map, size_t word);
// Claims the units of `mask` in one word; returns those it got.
uint64_t mb_map_claim_mask(const struct mb_unit_map *map, size_t word, uint64_t mask);

// Sets a note of units, asks whether any has it, takes it away.
void mb_map_note(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units);
bool mb_map_is_noted(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units);
void mb_map_forget(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units);

#endif
