// Where a member of the region family gets its spans from: the arena of malloc in small, over one range, for one owner.
//
//   range      | to a unit | unit 0 | unit 1 | ... described and committed ... |  not used yet  |
//   metadata   | the map of units | descriptor 0 | descriptor 1 | ...          |                | guard |
//
// What: runs of 64 KiB units, lowest address first, warm ones (pages touched and not given back) before cold ones, with
// descriptors (core/region/chain_unit.h) and malloc's kind of map (core/region/unit_map.h), which lie in a guarded
// mapping of their own. The range is committed in step with its use. Free spans beyond a margin give their pages back
// at once.
// Who: the owner thread. Any thread may look up an address whose pointer it came by.
// Invariant: a unit of the front is free (bit set), or part of exactly one span.
#ifndef MB_CORE_REGION_SPAN_SOURCE_H
#define MB_CORE_REGION_SPAN_SOURCE_H

#include "core/region/chain_unit.h"
#include "core/region/region_allocator.h"
#include "core/region/source_config.h"
#include "core/region/span.h"
#include "core/region/unit_map.h"

struct mb_span_source {
    struct mb_chain_space space;   // the described front
    struct mb_unit_map map;
    struct mb_allocator *base;     // whose range it is
    struct mb_region_allocator own; // the base that mb_span_source_new made
    struct mb_region metadata;
    size_t table_offset;           // of the descriptors in the metadata
    size_t offset;                 // of unit 0 in the range
    size_t limit_units;            // units that the range has room for
    size_t dirty_bytes;            // of the range, when it was taken over
    size_t warm_free_units;
    uint64_t purged_units;         // given back to the system since the start
    size_t retain_units;           // free spans keep their pages up to so many units
};

// On failure nothing is held: MB_BAD_CONFIG (no range, or blocks in it), MB_BAD_SIZE (no room for least_units units),
// MB_REFUSED. The struct may not be moved.
enum mb_error mb_span_source_open(struct mb_span_source *source, const struct mb_source_config *config, size_t least_units);
// Returns everything, and then `home`, the mapping in which the source itself lies. MB_REFUSED: what could not be
// returned is still there, and only dropping again, by any thread, is of use; a drop that was refused at once has
// changed nothing.
enum mb_error mb_span_source_drop(struct mb_span_source *source, const struct mb_region *home);

// Takes `units` units at a multiple of align_units units (a power of two). MB_FULL: no room; MB_REFUSED: not committed.
enum mb_error mb_span_source_take(struct mb_span_source *source, size_t units, size_t align_units, struct mb_span *out);
// Takes exactly these units, if all that belong to the front are free; what lies behind its end is added to it.
bool mb_span_source_take_at(struct mb_span_source *source, size_t first, size_t units);
// Gives units back whose descriptors are MB_CHAIN_NONE.
void mb_span_source_give(struct mb_span_source *source, size_t first, size_t units);
// Takes every descriptor down and every unit back: all blocks are gone.
void mb_span_source_reset(struct mb_span_source *source);
// Gives the pages of all free spans back to the system.
void mb_span_source_trim(struct mb_span_source *source);

MB_INLINE struct mb_chain_unit *mb_span_source_unit(const struct mb_span_source *source, size_t index) {
    return &source->space.table[index];
}
MB_INLINE size_t mb_span_source_index(const struct mb_span_source *source, const struct mb_chain_unit *unit) {
    return (size_t)(unit - source->space.table);
}
MB_INLINE uintptr_t mb_span_source_address(const struct mb_span_source *source, size_t index) {
    return source->space.base + (index << MB_UNIT_SHIFT);
}
// Pages given back since then, in bytes.
MB_INLINE size_t mb_span_source_purged_since(const struct mb_span_source *source, uint64_t purged_units) {
    return (size_t)(source->purged_units - purged_units) << MB_UNIT_SHIFT;
}
MB_INLINE size_t mb_span_source_units(const struct mb_span_source *source) { return source->space.bytes >> MB_UNIT_SHIFT; }

#endif
