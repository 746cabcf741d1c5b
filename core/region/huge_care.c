#include "core/region/huge_taking.h"

#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/huge_chunk.h"
#include "core/region/huge_proof.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    EVIDENCE_UNITS_MIN = 8 << 20 >> MB_UNIT_SHIFT,
    BLOCKS_UNITS_MIN = MB_HUGE_CAREFUL_UNITS_MIN,
    SLABS_UNITS_MIN = 64 << 20 >> MB_UNIT_SHIFT,
    LONG_SHARE = 2, // a longer part of the rest of the heap may be a mistake too dear
};

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

static bool empty_alone(const struct part *part) {
    size_t behind = part->chunk + MB_HUGE_CHUNK_UNITS - part->end, before = part->first - part->chunk;
    if (before != 0 && !mb_map_claim(&mb_arena_map, part->chunk, before)) return false;
    bool whole = behind == 0 || mb_map_claim(&mb_arena_map, part->end, behind);
    if (whole) mb_os_purge((void *)mb_unit_address(part->chunk), MB_HUGE_PAGE_BYTES);
    if (whole && behind != 0) mb_map_release(&mb_arena_map, part->end, behind);
    if (before != 0) mb_map_release(&mb_arena_map, part->chunk, before);
    return whole;
}

// A chunk that was given back may still have the kernel's table for small pages, or the huge page of zeros that looking
// at it has brought. All of it is given back once more, at once. False: another thread has taken some of it meanwhile,
// or is short of memory, so that no units may be hidden from it.
static bool empty_chunk(const struct part *part) {
    if (!mb_arena_shortage_try_enter()) return false;
    bool emptied = empty_alone(part);
    mb_arena_shortage_leave();
    return emptied;
}

// Asks for a run of chunks that have their flags already: wishes one by one would be as many calls.
static void ask(size_t chunk, size_t end) {
    if (chunk == end || mb_huge_ask(chunk, (end - chunk) / MB_HUGE_CHUNK_UNITS)) return;
    mb_huge_stop();
    for (; chunk < end; chunk += MB_HUGE_CHUNK_UNITS) mb_huge_set_flags(chunk, 0);
}

// Chunks to ask for at once.
struct wishes {
    size_t chunk, end;
};

static bool add_wish(struct wishes *wishes, const struct part *part) {
    uint32_t flags = mb_huge_flags(part->chunk);
    bool wished = (flags & MB_HUGE_WISHED) != 0, next = part->chunk == wishes->end;
    mb_huge_grow_small(); // so that what has no wish is one mapping with what lost it
    bool joins = next || mb_huge_is_wished(part->chunk - MB_HUGE_CHUNK_UNITS);
    if (!wished && ((!joins && !mb_huge_has_mappings_left()) || !mb_huge_make_room(part->chunk))) return false;
    if (flags != 0 && !empty_chunk(part)) return false;
    mb_huge_set_flags(part->chunk, MB_HUGE_WISHED);
    if (wished) return true;
    if (!next) ask(wishes->chunk, wishes->end);
    *wishes = (struct wishes){next ? wishes->chunk : part->chunk, part->chunk + MB_HUGE_CHUNK_UNITS};
    return true;
}

// What is taken may stay unwritten.
static void withdraw(const struct part *part) {
    uint32_t flags = mb_huge_flags(part->chunk);
    bool wished = (flags & MB_HUGE_WISHED) != 0;
    if (wished && (flags & MB_HUGE_COLD) == 0) return;
    if (wished && is_anew(part) && empty_chunk(part))
        mb_huge_drop(part->chunk);
    else if (mb_huge_make_room(part->chunk))
        mb_huge_set_flags(part->chunk, (flags & ~(uint32_t)(MB_HUGE_COLD | MB_HUGE_PARTED)) | MB_HUGE_SMALL);
}

// Where others have the rest of the chunk, what is asked for there was decided before.
static void take_slab(const struct mb_span *span) {
    struct part part = {mb_huge_chunk_of(span->first), span->first, span->first + 1};
    if (!is_anew(&part)) return;
    bool filled = mb_huge_proof_enter(MB_HUGE_KIND_SLABS, span) && mb_arena_units() >= SLABS_UNITS_MIN;
    struct wishes wishes = {0, 0};
    if (!filled || !add_wish(&wishes, &part)) withdraw(&part);
    ask(wishes.chunk, wishes.end);
}

static bool is_long(const struct mb_span *span) { return span->units >= MB_HUGE_CHUNK_UNITS; }

// MB_HUGE_KINDS: none that could be judged.
static enum mb_huge_kind kind_of(const struct mb_span *span, enum mb_huge_use use) {
    if (use == MB_HUGE_MOVED) return MB_HUGE_KINDS;
    if (use == MB_HUGE_SPARSE) return MB_HUGE_KIND_SPARSE;
    return is_long(span) ? MB_HUGE_KIND_LONG : MB_HUGE_KIND_BLOCKS;
}

static bool is_small_part(const struct mb_span *span) { return span->units <= (mb_arena_units() - span->units) / LONG_SHARE; }

// A long block is judged once, a shorter one where it enters a chunk.
static bool will_be_written(const struct mb_span *span, enum mb_huge_kind kind, const struct part *part, bool long_written) {
    if (kind == MB_HUGE_KINDS) return false;
    if (is_long(span)) return long_written && is_anew(part);
    return is_anew(part) && mb_huge_proof_enter(kind, span);
}

// True: its last chunk extends beyond it, and a huge page will come there.
static bool take_block(const struct mb_span *span, enum mb_huge_kind kind) {
    bool large = mb_arena_units() >= BLOCKS_UNITS_MIN, last = false;
    bool long_written = kind != MB_HUGE_KINDS && is_long(span) && mb_huge_proof_enter(kind, span) && is_small_part(span);
    size_t end = span->first + span->units;
    struct part part = {.chunk = mb_huge_chunk_of(span->first), .first = span->first};
    struct wishes wishes = {0, 0};
    for (; part.first < end; part.first = part.end, part.chunk += MB_HUGE_CHUNK_UNITS) {
        part.end = mb_min(part.chunk + MB_HUGE_CHUNK_UNITS, end);
        last = will_be_written(span, kind, &part, long_written) && large && add_wish(&wishes, &part);
        if (!last) withdraw(&part);
    }
    ask(wishes.chunk, wishes.end);
    if (kind != MB_HUGE_KINDS && mb_huge_proof_is_vain(kind)) mb_huge_grow_small();
    return last && end % MB_HUGE_CHUNK_UNITS != 0;
}

bool mb_huge_taken_with_care(const struct mb_span *span, enum mb_huge_use use) {
    if (!span->zero || !mb_huge_is_possible(EVIDENCE_UNITS_MIN)) return false;
    if (use != MB_HUGE_SLAB) return take_block(span, kind_of(span, use));
    take_slab(span);
    return false;
}
