#include "core/region/huge.h"

#include "core/base/config.h"
#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/huge_chunk.h"
#include "core/region/huge_taking.h"
#include "core/region/pieces.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

struct mb_huge_shared mb_huge_shared;

void mb_huge_stop(void) { atomic_store_explicit(&mb_huge_shared.wanted, false, memory_order_relaxed); }

void mb_huge_grow_small(void) {
    size_t units = mb_arena_units();
    uintptr_t none = 0, from = units == 0 ? 1 : mb_space.base + ((uintptr_t)units << MB_UNIT_SHIFT); // before the start there is no base
    if (atomic_load_explicit(&mb_huge_shared.small_from, memory_order_relaxed) != 0) return;
    mb_arena_grow_small();
    atomic_compare_exchange_strong_explicit(&mb_huge_shared.small_from, &none, from, memory_order_relaxed, memory_order_relaxed);
}

bool mb_huge_is_small(const void *p) {
    uintptr_t from = atomic_load_explicit(&mb_huge_shared.small_from, memory_order_relaxed);
    return from != 0 && (uintptr_t)p >= from;
}

void mb_huge_renewed(void *p, size_t bytes) {
    if (mb_huge_is_small(p)) mb_os_advise_huge(p, bytes, false);
}

void mb_huge_init(enum mb_huge_mode mode) {
    mb_huge_shared.careful = mode == MB_HUGE_AUTO;
    if (mode == MB_HUGE_OFF) mb_huge_grow_small();
    atomic_store_explicit(&mb_huge_shared.wanted, mode != MB_HUGE_OFF && mb_os_page_size() == MB_HUGE_SMALL_PAGE_BYTES,
                          memory_order_relaxed);
}

size_t mb_huge_wished_bytes(void) { return atomic_load_explicit(&mb_huge_shared.wished_chunks, memory_order_relaxed) * MB_HUGE_PAGE_BYTES; }

bool mb_huge_is_possible(size_t units_min) {
    return mb_arena_units() >= units_min && mb_huge_is_wanted() && mb_space.base % MB_HUGE_PAGE_BYTES == 0;
}

// Small heaps are left alone, and cost nothing.
static bool is_in_use(void) { return mb_huge_is_possible(mb_huge_shared.careful ? MB_HUGE_CAREFUL_UNITS_MIN : MB_HUGE_TOLD_UNITS_MIN); }

bool mb_huge_is_free_around(size_t chunk, size_t first, size_t end) {
    for (size_t unit = chunk; unit < chunk + MB_HUGE_CHUNK_UNITS; unit++) {
        bool mine = unit >= first && unit < end;
        if (!mine && !mb_arena_is_free(unit)) return false;
    }
    return true;
}

// --- taking ----------------------------------------------------------------------------------------------------------

bool mb_huge_taken(const struct mb_span *span, size_t bytes, enum mb_huge_use use) {
    if (!mb_huge_is_wanted()) return false;
    if (!mb_huge_shared.careful) return mb_huge_taken_as_told(span, bytes, use);
    return mb_huge_taken_with_care(span, use);
}

bool mb_huge_taken_run(const struct mb_run *run, enum mb_huge_use use) {
    size_t first = mb_units_for(run->first), end = (run->first + run->pieces) / MB_UNIT_PIECES;
    if (run->pieces <= MB_PIECED_MAX >> MB_PIECE_SHIFT || first >= end) return false;
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

// Giving back in whole chunks costs memory, and pays only where there are huge pages.
static bool has_huge_pages(void) {
    return is_in_use() && (!mb_huge_shared.careful || atomic_load_explicit(&mb_huge_shared.wished_chunks, memory_order_relaxed) != 0);
}

uint64_t mb_huge_whole(uint64_t mask) {
    if (!has_huge_pages()) return mask;
    for (size_t unit = 0; unit < 64; unit += MB_HUGE_CHUNK_UNITS) {
        uint64_t chunk = mb_bit_range((unsigned)unit, MB_HUGE_CHUNK_UNITS);
        if ((mask & chunk) != chunk) mask &= ~chunk;
    }
    return mask;
}

size_t mb_huge_least_purge(void) { return has_huge_pages() ? MB_HUGE_CHUNK_UNITS : 1; }
