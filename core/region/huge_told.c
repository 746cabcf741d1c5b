#include "core/region/huge_taking.h"

#include "core/region/arena.h"
#include "core/region/huge_chunk.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    SHARED_UNITS_MIN = 32 << 20 >> MB_UNIT_SHIFT, // for chunks that blocks will share,
    SLABS_UNITS_MIN = 64 << 20 >> MB_UNIT_SHIFT,  //   and slabs
    OPEN_SLABS_SHARE = 32,
    UNUSED_SHARE = 32,
    TAKEN_UNITS_KNOWN = 1 << 14, // 1 GiB
};

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
    size_t unused = use == MB_HUGE_SPARSE || use == MB_HUGE_MOVED ? units << MB_UNIT_SHIFT : (units << MB_UNIT_SHIFT) - bytes;
    size_t pages = atomic_load_explicit(&mb_huge_shared.unused_pages, memory_order_relaxed) + unused / MB_HUGE_SMALL_PAGE_BYTES;
    size_t taken = atomic_load_explicit(&mb_huge_shared.taken_units, memory_order_relaxed) + units;
    bool enough = taken >= TAKEN_UNITS_KNOWN;
    atomic_store_explicit(&mb_huge_shared.unused_pages, enough ? pages / 2 : pages, memory_order_relaxed);
    atomic_store_explicit(&mb_huge_shared.taken_units, enough ? taken / 2 : taken, memory_order_relaxed);
}

static bool spans_are_full(void) {
    size_t unused = atomic_load_explicit(&mb_huge_shared.unused_pages, memory_order_relaxed) * MB_HUGE_SMALL_PAGE_BYTES;
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

static bool is_for_others(const struct taking *taking, size_t chunk) {
    size_t heap = mb_arena_units();
    if (heap < SHARED_UNITS_MIN || chunk + MB_HUGE_CHUNK_UNITS > heap || !spans_are_full()) return false;
    return mb_huge_is_free_around(chunk, taking->first, taking->end);
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

bool mb_huge_taken_as_told(const struct mb_span *span, size_t bytes, enum mb_huge_use use) {
    size_t first = span->first, units = span->units;
    note_unused(units, bytes, use);
    struct taking taking = {.first = first, .end = first + units, .used_end = raise_used_end(first + units), .use = use};
    taking.whole_end = first + (bytes >> MB_UNIT_SHIFT);
    if (!mb_huge_is_possible(MB_HUGE_TOLD_UNITS_MIN)) return false;
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
