#include "core/region/huge.h"

#include "core/base/config.h"
#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/huge_chunk.h"
#include "core/region/huge_proof.h"
#include "core/region/pieces.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    HEAP_UNITS_MIN = 16 << 20 >> MB_UNIT_SHIFT,    // for chunks whole in a block
    SHARED_UNITS_MIN = 32 << 20 >> MB_UNIT_SHIFT,  // for those that blocks will share,
    SLABS_UNITS_MIN = 64 << 20 >> MB_UNIT_SHIFT,   //   and slabs
    CAREFUL_UNITS_MIN = 64 << 20 >> MB_UNIT_SHIFT, // without being told to
    OPEN_SLABS_SHARE = 32,
    UNUSED_SHARE = 32,
    TAKEN_UNITS_KNOWN = 1 << 14, // 1 GiB
};
static const size_t PAGE_BYTES = 4096; // with longer pages huge ones are longer, too

struct mb_huge_shared mb_huge_shared;

void mb_huge_stop(void) { atomic_store_explicit(&mb_huge_shared.wanted, false, memory_order_relaxed); }

void mb_huge_init(enum mb_huge_mode mode) {
    mb_huge_shared.careful = mode == MB_HUGE_AUTO;
    atomic_store_explicit(&mb_huge_shared.wanted, mode != MB_HUGE_OFF && mb_os_page_size() == PAGE_BYTES, memory_order_relaxed);
}

size_t mb_huge_wished_bytes(void) { return atomic_load_explicit(&mb_huge_shared.wished_chunks, memory_order_relaxed) * MB_HUGE_PAGE_BYTES; }

// Small heaps are left alone, and cost nothing.
static bool is_in_use(void) {
    return mb_arena_units() >= (mb_huge_shared.careful ? CAREFUL_UNITS_MIN : HEAP_UNITS_MIN) &&
           atomic_load_explicit(&mb_huge_shared.wanted, memory_order_relaxed) && mb_space.base % MB_HUGE_PAGE_BYTES == 0;
}

// --- taking ----------------------------------------------------------------------------------------------------------

static size_t raise_used_end(size_t end) {
    size_t seen = atomic_load_explicit(&mb_huge_shared.used_end, memory_order_relaxed);
    while (seen < end &&
           !atomic_compare_exchange_weak_explicit(&mb_huge_shared.used_end, &seen, end, memory_order_relaxed, memory_order_relaxed))
        continue;
    return seen;
}

// What has been taken lately foretells what a shared chunk will be filled with.
static void note_unused(size_t units, size_t bytes, enum mb_huge_use use) {
    if (units >= MB_HUGE_CHUNK_UNITS) return;
    size_t unused = use == MB_HUGE_SPARSE ? units << MB_UNIT_SHIFT : (units << MB_UNIT_SHIFT) - bytes;
    size_t pages = atomic_load_explicit(&mb_huge_shared.unused_pages, memory_order_relaxed) + unused / PAGE_BYTES;
    size_t taken = atomic_load_explicit(&mb_huge_shared.taken_units, memory_order_relaxed) + units;
    bool enough = taken >= TAKEN_UNITS_KNOWN;
    atomic_store_explicit(&mb_huge_shared.unused_pages, enough ? pages / 2 : pages, memory_order_relaxed);
    atomic_store_explicit(&mb_huge_shared.taken_units, enough ? taken / 2 : taken, memory_order_relaxed);
}

static bool spans_are_full(void) {
    size_t unused = atomic_load_explicit(&mb_huge_shared.unused_pages, memory_order_relaxed) * PAGE_BYTES;
    return unused <= (atomic_load_explicit(&mb_huge_shared.taken_units, memory_order_relaxed) << MB_UNIT_SHIFT) / UNUSED_SHARE;
}

static bool slabs_are_carved(void) {
    if (mb_arena_units() < SLABS_UNITS_MIN) return false;
    ptrdiff_t open = atomic_load_explicit(&mb_huge_shared.open_slabs, memory_order_relaxed);
    return open <= (ptrdiff_t)(mb_arena_units() / OPEN_SLABS_SHARE);
}

static bool may_wish(enum mb_huge_use use) { return use == MB_HUGE_FILLED || (use == MB_HUGE_SLAB && slabs_are_carved()); }

struct taking {
    size_t first, end, used_end; // units; used_end as it was before
    size_t whole_end;            // of those that are all the taker's
    enum mb_huge_use use;
    bool may_wish;
};

// Whether the chunk's units but those from `first` to `end` are free. A hole in the window (core/region/arena.c) never
// is.
static bool is_free_around(size_t chunk, size_t first, size_t end) {
    for (size_t unit = chunk; unit < chunk + MB_HUGE_CHUNK_UNITS; unit++) {
        bool mine = unit >= first && unit < end;
        if (!mine && !mb_arena_is_free(unit)) return false;
    }
    return true;
}

static bool is_for_others(const struct taking *taking, size_t chunk) {
    size_t heap = mb_arena_units();
    if (heap < SHARED_UNITS_MIN || chunk + MB_HUGE_CHUNK_UNITS > heap || !spans_are_full()) return false;
    return is_free_around(chunk, taking->first, taking->end);
}

static bool is_whole(const struct taking *taking, size_t chunk) {
    return chunk >= taking->first && chunk + MB_HUGE_CHUNK_UNITS <= taking->whole_end;
}

static bool wants_wish(const struct taking *taking, size_t chunk) {
    uint32_t flags = mb_huge_flags(chunk);
    if (!taking->may_wish || (flags & MB_HUGE_WISHED) != 0) return false;
    if (!mb_huge_has_mappings_left() && !mb_huge_is_wished(chunk - MB_HUGE_CHUNK_UNITS)) return false;
    bool unused = chunk >= taking->used_end;
    bool fits = is_whole(taking, chunk) ? unused || (flags & MB_HUGE_COLD) != 0 : unused && is_for_others(taking, chunk);
    return fits && mb_huge_make_room(chunk);
}

// Whether a chunk that comes without pages, and for which a huge page is asked for, will be filled.
static bool keeps_wish(const struct taking *taking, size_t chunk) {
    if (taking->use == MB_HUGE_FILLED && is_whole(taking, chunk)) return true;
    return taking->may_wish && chunk >= taking->used_end;
}

// Only if the whole chunk belongs to the caller, so that no other thread's units are given back.
static void unpart(const struct taking *taking, size_t chunk) {
    if (is_whole(taking, chunk) && (mb_huge_flags(chunk) & MB_HUGE_PARTED) != 0)
        mb_os_purge((void *)mb_unit_address(chunk), MB_HUGE_PAGE_BYTES);
}

static void enter(const struct taking *taking, size_t chunk) {
    uint32_t flags = mb_huge_flags(chunk);
    if ((flags & MB_HUGE_COLD) == 0) return;
    if (taking->use == MB_HUGE_FILLED) unpart(taking, chunk);
    if ((flags & MB_HUGE_WISHED) != 0 && !keeps_wish(taking, chunk))
        mb_huge_drop(chunk);
    else
        mb_huge_set_flags(chunk, flags & ~(uint32_t)(MB_HUGE_COLD | MB_HUGE_PARTED));
}

// Asks for the run of chunks that begins here, and for what is free behind it at the front: wishes one by one would
// come to lie in as many mappings. Where the taking ends.
static size_t wish_run(const struct taking *taking, size_t chunk) {
    struct taking ahead = {.first = taking->end, .end = taking->end, .used_end = taking->used_end, .use = taking->use, .may_wish = true};
    size_t end = chunk, taken_end = mb_align_up(taking->end, MB_HUGE_CHUNK_UNITS);
    for (; end < taken_end && wants_wish(taking, end); end += MB_HUGE_CHUNK_UNITS) {
        unpart(taking, end);
        mb_huge_set_flags(end, MB_HUGE_WISHED);
    }
    for (; end >= taken_end && wants_wish(&ahead, end); end += MB_HUGE_CHUNK_UNITS) mb_huge_set_flags(end, MB_HUGE_WISHED | MB_HUGE_COLD);
    if (mb_huge_ask(chunk, (end - chunk) / MB_HUGE_CHUNK_UNITS)) return mb_min(end, taken_end);
    mb_huge_stop();
    for (size_t at = chunk; at < end; at += MB_HUGE_CHUNK_UNITS) mb_huge_set_flags(at, 0);
    return mb_min(end, taken_end);
}

static bool taken_as_told(size_t first, size_t units, size_t bytes, enum mb_huge_use use) {
    note_unused(units, bytes, use);
    struct taking taking = {.first = first, .end = first + units, .used_end = raise_used_end(first + units), .use = use};
    taking.whole_end = first + (bytes >> MB_UNIT_SHIFT);
    if (!is_in_use()) return false;
    if (2 * units > mb_arena_units()) taking.use = MB_HUGE_SPARSE;
    taking.may_wish = may_wish(taking.use);
    bool last_wished = false;
    for (size_t chunk = mb_huge_chunk_of(first); chunk < taking.end;) {
        last_wished = wants_wish(&taking, chunk);
        if (last_wished) {
            chunk = wish_run(&taking, chunk);
        } else {
            enter(&taking, chunk);
            chunk += MB_HUGE_CHUNK_UNITS;
        }
    }
    return last_wished && taking.end % MB_HUGE_CHUNK_UNITS != 0;
}

// --- taking, with care ----------------------------------------------------------------------------------------------

// What of a chunk a taking has, in units.
struct part {
    size_t chunk, first, end;
};

// All other units of the chunk are free and have no pages. (In use a unit counts as warm.)
static bool is_anew(const struct part *part) {
    if (part->chunk + MB_HUGE_CHUNK_UNITS > mb_arena_units()) return false;
    if (mb_map_count_warm(&mb_arena_map, part->chunk, MB_HUGE_CHUNK_UNITS) != part->end - part->first) return false;
    return is_free_around(part->chunk, part->first, part->end);
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
static void take_slab_with_care(size_t unit) {
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
static void take_block_with_care(const struct mb_span *span) {
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

bool mb_huge_taken(const struct mb_span *span, size_t bytes, enum mb_huge_use use) {
    if (!mb_huge_is_wanted()) return false;
    if (!mb_huge_shared.careful) return taken_as_told(span->first, span->units, bytes, use);
    if (!span->zero || !is_in_use()) return false;
    if (use == MB_HUGE_SLAB)
        take_slab_with_care(span->first);
    else
        take_block_with_care(span);
    return false;
}

bool mb_huge_taken_run(const struct mb_run *run, enum mb_huge_use use) {
    size_t first = mb_units_for(run->first), end = mb_units_for(run->first + run->pieces);
    if (run->pieces <= MB_PIECED_MAX >> MB_PIECE_SHIFT || first == end) return false;
    struct mb_span span = {first, end - first, run->zero};
    return mb_huge_taken(&span, (run->first + run->pieces - mb_pieces_in(first)) << MB_PIECE_SHIFT, use);
}

// --- giving back -----------------------------------------------------------------------------------------------------

static void purged_in_part(size_t chunk) {
    uint32_t flags = mb_huge_flags(chunk);
    bool all = mb_map_count_warm(&mb_arena_map, chunk, MB_HUGE_CHUNK_UNITS) == 0;
    if (all && mb_huge_make_room(chunk))
        mb_huge_set_flags(chunk, flags | MB_HUGE_COLD | MB_HUGE_PARTED);
    else if ((flags & (MB_HUGE_WISHED | MB_HUGE_COLD)) == MB_HUGE_WISHED)
        mb_huge_drop(chunk);
}

void mb_huge_purged(size_t first, size_t units) {
    if (!is_in_use()) return;
    for (size_t chunk = mb_huge_chunk_of(first); chunk < first + units; chunk += MB_HUGE_CHUNK_UNITS) {
        bool whole = chunk >= first && chunk + MB_HUGE_CHUNK_UNITS <= first + units;
        if (!whole)
            purged_in_part(chunk);
        else if (mb_huge_make_room(chunk))
            mb_huge_set_flags(chunk, (mb_huge_flags(chunk) | MB_HUGE_COLD) & ~(uint32_t)MB_HUGE_PARTED);
    }
}

void mb_huge_lost(size_t first, size_t units) {
    if (!is_in_use()) return;
    for (size_t chunk = mb_huge_chunk_of(first); chunk < first + units; chunk += MB_HUGE_CHUNK_UNITS) {
        bool whole = chunk >= first && chunk + MB_HUGE_CHUNK_UNITS <= first + units;
        mb_huge_set_flags(chunk, whole ? MB_HUGE_COLD : 0);
    }
}

uint64_t mb_huge_whole(uint64_t mask) {
    if (!is_in_use()) return mask;
    for (size_t unit = 0; unit < 64; unit += MB_HUGE_CHUNK_UNITS) {
        uint64_t chunk = mb_bit_range((unsigned)unit, MB_HUGE_CHUNK_UNITS);
        if ((mask & chunk) != chunk) mask &= ~chunk;
    }
    return mask;
}

size_t mb_huge_least_purge(void) { return is_in_use() ? MB_HUGE_CHUNK_UNITS : 1; }
