#include "core/region/huge_taking.h"

#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/huge_chunk.h"
#include "core/region/huge_proof.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

// What of a chunk a taking has, in units.
struct part {
    size_t chunk, first, end;
};

// All other units of the chunk are free and have no pages. (In use a unit counts as warm.)
static bool is_anew(const struct part *part) {
    if (part->chunk + MB_HUGE_CHUNK_UNITS > mb_arena_units()) return false;
    if (mb_map_count_warm(&mb_arena_map, part->chunk, MB_HUGE_CHUNK_UNITS) != part->end - part->first) return false;
    return mb_huge_is_free_around(part->chunk, part->first, part->end);
}

// A chunk that was given back may still have the kernel's table for small pages, or the huge page of zeros that looking
// at it has brought. All of it is given back once more, at once. False: another thread has taken some of it meanwhile.
static bool empty_chunk(const struct part *part) {
    size_t behind = part->chunk + MB_HUGE_CHUNK_UNITS - part->end, before = part->first - part->chunk;
    if (before != 0 && !mb_map_claim(&mb_arena_map, part->chunk, before)) return false;
    bool whole = behind == 0 || mb_map_claim(&mb_arena_map, part->end, behind);
    if (whole) mb_os_purge((void *)mb_unit_address(part->chunk), MB_HUGE_PAGE_BYTES);
    if (whole && behind != 0) mb_map_release(&mb_arena_map, part->end, behind);
    if (before != 0) mb_map_release(&mb_arena_map, part->chunk, before);
    return whole;
}

static bool wish_one(size_t chunk, uint32_t flags) {
    if ((flags & MB_HUGE_WISHED) == 0) {
        if (!mb_huge_has_mappings_left() || !mb_huge_make_room(chunk)) return false;
        if (!mb_huge_ask(chunk, 1)) return mb_huge_stop(), false;
    }
    mb_huge_set_flags(chunk, MB_HUGE_WISHED);
    return true;
}

static void clear_cold(size_t chunk, uint32_t flags) { mb_huge_set_flags(chunk, flags & ~(uint32_t)(MB_HUGE_COLD | MB_HUGE_PARTED)); }

// Where others have the rest of the chunk, what is asked for there was decided before.
static void take_slab(size_t unit) {
    struct part part = {mb_huge_chunk_of(unit), unit, unit + 1};
    if (!is_anew(&part)) return;
    uint32_t flags = mb_huge_flags(part.chunk);
    if ((flags & MB_HUGE_COLD) != 0 && !empty_chunk(&part)) return;
    if (mb_huge_proof_enter(part.chunk) && wish_one(part.chunk, flags)) return;
    if ((flags & MB_HUGE_WISHED) != 0)
        mb_huge_drop(part.chunk);
    else
        clear_cold(part.chunk, flags);
}

// Withdraws wishes from what may stay unwritten. A long block is one step of the evidence.
static void take_block(const struct mb_span *span) {
    size_t end = span->first + span->units;
    struct part part = {.chunk = mb_huge_chunk_of(span->first), .first = span->first};
    for (bool first = true; part.first < end; part.first = part.end, part.chunk += MB_HUGE_CHUNK_UNITS, first = false) {
        part.end = mb_min(part.chunk + MB_HUGE_CHUNK_UNITS, end);
        uint32_t flags = mb_huge_flags(part.chunk);
        if (first && is_anew(&part)) mb_huge_proof_enter(part.chunk);
        if ((flags & MB_HUGE_COLD) == 0) continue;
        if ((flags & MB_HUGE_WISHED) != 0 && is_anew(&part) && empty_chunk(&part))
            mb_huge_drop(part.chunk);
        else
            clear_cold(part.chunk, flags);
    }
}

void mb_huge_taken_with_care(const struct mb_span *span, enum mb_huge_use use) {
    if (!span->zero || !mb_huge_is_in_use()) return;
    if (use == MB_HUGE_SLAB)
        take_slab(span->first);
    else
        take_block(span);
}
