#include "core/region/huge.h"

#include "core/base/config.h"
#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/pieces.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    CHUNK_UNITS = MB_HUGE_CHUNK_UNITS,
    HEAP_UNITS_MIN = 16 << 20 >> MB_UNIT_SHIFT,   // for chunks whole in a block
    SHARED_UNITS_MIN = 32 << 20 >> MB_UNIT_SHIFT, // for those that blocks will share,
    SLABS_UNITS_MIN = 64 << 20 >> MB_UNIT_SHIFT,  //   and slabs
    OPEN_SLABS_SHARE = 32,
    UNUSED_SHARE = 32,
    TAKEN_UNITS_KNOWN = 1 << 14,               // 1 GiB
    BORDERS_MIN = 16,                          // each may cost two of the 65,530 mappings that a process may have; one more for each
    BORDERS_SHARE = 16 << 20 >> MB_UNIT_SHIFT, //   so many units of heap,
    BORDERS_MAX = 1000,                        //   and no more than this
};
static const size_t PAGE_BYTES = 4096; // with longer pages huge ones are longer, too

// What is known of a chunk.
enum chunk_flags {
    WISHED = 1,  // a huge page is asked for
    DROPPED = 2, // none is wanted any more
    COLD = 4,    // all of it was given back, and nothing was taken since,
    PARTED = 8,  //   but in parts: the kernel has a table for small pages there, until all is given back at once
};

// A byte for each chunk, in pieces that are allocated when huge pages are first requested in their range. Written by
// any thread, relaxed.
enum { PIECE_CHUNKS = 1024, PIECES = 512 };
static struct {
    _Atomic(_Atomic uint8_t *) piece[PIECES]; // written once each (release)
} chunks_shared;

struct mb_huge_shared mb_huge_shared;

void mb_huge_init(bool wanted) {
    atomic_store_explicit(&mb_huge_shared.wanted, wanted && mb_os_page_size() == PAGE_BYTES, memory_order_relaxed);
}

size_t mb_huge_wished_bytes(void) { return atomic_load_explicit(&mb_huge_shared.wished_chunks, memory_order_relaxed) * MB_HUGE_PAGE_BYTES; }

// Small heaps are left alone, and cost nothing.
static bool is_in_use(void) {
    return mb_arena_units() >= HEAP_UNITS_MIN && atomic_load_explicit(&mb_huge_shared.wanted, memory_order_relaxed) &&
           mb_space.base % MB_HUGE_PAGE_BYTES == 0;
}

// --- one chunk -------------------------------------------------------------------------------------------------------

static size_t chunk_of(size_t unit) { return unit - unit % CHUNK_UNITS; }

static _Atomic(_Atomic uint8_t *) *piece_of(size_t chunk) { return &chunks_shared.piece[chunk / CHUNK_UNITS / PIECE_CHUNKS]; }

// NULL: nothing is known of the chunk, and nothing can be noted.
static _Atomic uint8_t *flags_at(size_t chunk) {
    _Atomic uint8_t *piece = atomic_load_explicit(piece_of(chunk), memory_order_acquire);
    return piece != NULL ? &piece[chunk / CHUNK_UNITS % PIECE_CHUNKS] : NULL;
}

static uint32_t flags_of(size_t chunk) {
    _Atomic uint8_t *flags = flags_at(chunk);
    return flags != NULL ? atomic_load_explicit(flags, memory_order_relaxed) : 0;
}

// If two threads make the same piece, one of the two results is discarded.
static bool make_piece(size_t chunk) {
    if (flags_at(chunk) != NULL) return true;
    _Atomic uint8_t *none = NULL, *piece = mb_arena_metadata(PIECE_CHUNKS, 64);
    if (piece == NULL) return false;
    atomic_compare_exchange_strong_explicit(piece_of(chunk), &none, piece, memory_order_release, memory_order_relaxed);
    return true;
}

static bool advise(size_t chunk, size_t chunks, bool want) {
    return mb_os_advise_huge((void *)mb_unit_address(chunk), chunks * MB_HUGE_PAGE_BYTES, want) == 0;
}

static bool is_wished(size_t chunk) { return chunk < mb_arena_units() && (flags_of(chunk) & WISHED) != 0; }

// A chunk between two of the same kind makes two mappings more; one beside others of its kind none.
static void count(size_t chunk, uint32_t before, uint32_t now) {
    ptrdiff_t wished = (ptrdiff_t)(now & WISHED) - (ptrdiff_t)(before & WISHED);
    ptrdiff_t dropped = (ptrdiff_t)((now & DROPPED) / DROPPED) - (ptrdiff_t)((before & DROPPED) / DROPPED);
    ptrdiff_t runs = wished * (1 - is_wished(chunk - CHUNK_UNITS) - is_wished(chunk + CHUNK_UNITS));
    if (wished != 0) atomic_fetch_add_explicit(&mb_huge_shared.wished_chunks, (size_t)wished, memory_order_relaxed);
    if (runs + dropped != 0) atomic_fetch_add_explicit(&mb_huge_shared.borders, runs + dropped, memory_order_relaxed);
}

static void set_flags(size_t chunk, uint32_t flags) {
    _Atomic uint8_t *at = flags_at(chunk);
    if (at == NULL || atomic_load_explicit(at, memory_order_relaxed) == flags) return;
    count(chunk, atomic_exchange_explicit(at, (uint8_t)flags, memory_order_relaxed), flags);
}

// The flag goes last: where it is set and the wish is gone already, nothing is lost but a system call.
static void drop(size_t chunk) {
    advise(chunk, 1, false);
    set_flags(chunk, DROPPED);
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
    if (units >= CHUNK_UNITS) return;
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

static bool has_mappings_left(void) {
    size_t most = mb_min(BORDERS_MIN + mb_arena_units() / BORDERS_SHARE, BORDERS_MAX);
    return atomic_load_explicit(&mb_huge_shared.borders, memory_order_relaxed) < (ptrdiff_t)most;
}

static bool may_wish(enum mb_huge_use use) { return use == MB_HUGE_FILLED || (use == MB_HUGE_SLAB && slabs_are_carved()); }

struct taking {
    size_t first, end, used_end; // units; used_end as it was before
    size_t whole_end;            // of those that are all the taker's
    enum mb_huge_use use;
    bool may_wish;
};

// A hole in the window (core/region/arena.c) is never free.
static bool is_for_others(const struct taking *taking, size_t chunk) {
    size_t heap = mb_arena_units();
    if (heap < SHARED_UNITS_MIN || chunk + CHUNK_UNITS > heap || !spans_are_full()) return false;
    for (size_t unit = chunk; unit < chunk + CHUNK_UNITS; unit++) {
        bool mine = unit >= taking->first && unit < taking->end;
        if (!mine && !mb_arena_is_free(unit)) return false;
    }
    return true;
}

static bool is_whole(const struct taking *taking, size_t chunk) {
    return chunk >= taking->first && chunk + CHUNK_UNITS <= taking->whole_end;
}

static bool wants_wish(const struct taking *taking, size_t chunk) {
    uint32_t flags = flags_of(chunk);
    if (!taking->may_wish || (flags & WISHED) != 0) return false;
    if (!has_mappings_left() && !is_wished(chunk - CHUNK_UNITS)) return false;
    bool unused = chunk >= taking->used_end;
    bool fits = is_whole(taking, chunk) ? unused || (flags & COLD) != 0 : unused && is_for_others(taking, chunk);
    return fits && make_piece(chunk);
}

// Whether a chunk that comes without pages, and for which a huge page is asked for, will be filled.
static bool keeps_wish(const struct taking *taking, size_t chunk) {
    if (taking->use == MB_HUGE_FILLED && is_whole(taking, chunk)) return true;
    return taking->may_wish && chunk >= taking->used_end;
}

// Only if the whole chunk belongs to the caller, so that no other thread's units are given back.
static void unpart(const struct taking *taking, size_t chunk) {
    if (is_whole(taking, chunk) && (flags_of(chunk) & PARTED) != 0) mb_os_purge((void *)mb_unit_address(chunk), MB_HUGE_PAGE_BYTES);
}

static void enter(const struct taking *taking, size_t chunk) {
    uint32_t flags = flags_of(chunk);
    if ((flags & COLD) == 0) return;
    if (taking->use == MB_HUGE_FILLED) unpart(taking, chunk);
    if ((flags & WISHED) != 0 && !keeps_wish(taking, chunk))
        drop(chunk);
    else
        set_flags(chunk, flags & ~(uint32_t)(COLD | PARTED));
}

// Asks for the run of chunks that begins here, and for what is free behind it at the front: wishes one by one would
// come to lie in as many mappings. Where the taking ends.
static size_t wish_run(const struct taking *taking, size_t chunk) {
    struct taking ahead = {.first = taking->end, .end = taking->end, .used_end = taking->used_end, .use = taking->use, .may_wish = true};
    size_t end = chunk, taken_end = mb_align_up(taking->end, CHUNK_UNITS);
    for (; end < taken_end && wants_wish(taking, end); end += CHUNK_UNITS) {
        unpart(taking, end);
        set_flags(end, WISHED);
    }
    for (; end >= taken_end && wants_wish(&ahead, end); end += CHUNK_UNITS) set_flags(end, WISHED | COLD);
    if (advise(chunk, (end - chunk) / CHUNK_UNITS, true)) return mb_min(end, taken_end);
    mb_huge_init(false);
    for (size_t at = chunk; at < end; at += CHUNK_UNITS) set_flags(at, 0);
    return mb_min(end, taken_end);
}

bool mb_huge_taken(size_t first, size_t units, size_t bytes, enum mb_huge_use use) {
    if (!mb_huge_is_wanted()) return false;
    note_unused(units, bytes, use);
    struct taking taking = {.first = first, .end = first + units, .used_end = raise_used_end(first + units), .use = use};
    taking.whole_end = first + (bytes >> MB_UNIT_SHIFT);
    if (!is_in_use()) return false;
    if (2 * units > mb_arena_units()) taking.use = MB_HUGE_SPARSE;
    taking.may_wish = may_wish(taking.use);
    bool last_wished = false;
    for (size_t chunk = chunk_of(first); chunk < taking.end;) {
        last_wished = wants_wish(&taking, chunk);
        if (last_wished) {
            chunk = wish_run(&taking, chunk);
        } else {
            enter(&taking, chunk);
            chunk += CHUNK_UNITS;
        }
    }
    return last_wished && taking.end % CHUNK_UNITS != 0;
}

bool mb_huge_taken_run(const struct mb_run *run, enum mb_huge_use use) {
    size_t first = mb_units_for(run->first), end = mb_units_for(run->first + run->pieces);
    if (run->pieces <= MB_PIECED_MAX >> MB_PIECE_SHIFT || first == end) return false;
    return mb_huge_taken(first, end - first, (run->first + run->pieces - mb_pieces_in(first)) << MB_PIECE_SHIFT, use);
}

// --- giving back -----------------------------------------------------------------------------------------------------

static void purged_in_part(size_t chunk) {
    uint32_t flags = flags_of(chunk);
    bool all = mb_map_count_warm(&mb_arena_map, chunk, CHUNK_UNITS) == 0;
    if (all && make_piece(chunk))
        set_flags(chunk, flags | COLD | PARTED);
    else if ((flags & (WISHED | COLD)) == WISHED)
        drop(chunk);
}

void mb_huge_purged(size_t first, size_t units) {
    if (!is_in_use()) return;
    for (size_t chunk = chunk_of(first); chunk < first + units; chunk += CHUNK_UNITS) {
        bool whole = chunk >= first && chunk + CHUNK_UNITS <= first + units;
        if (!whole)
            purged_in_part(chunk);
        else if (make_piece(chunk))
            set_flags(chunk, (flags_of(chunk) | COLD) & ~(uint32_t)PARTED);
    }
}

void mb_huge_lost(size_t first, size_t units) {
    if (!is_in_use()) return;
    for (size_t chunk = chunk_of(first); chunk < first + units; chunk += CHUNK_UNITS) {
        bool whole = chunk >= first && chunk + CHUNK_UNITS <= first + units;
        set_flags(chunk, whole ? COLD : 0);
    }
}

uint64_t mb_huge_whole(uint64_t mask) {
    if (!is_in_use()) return mask;
    for (size_t unit = 0; unit < 64; unit += CHUNK_UNITS) {
        uint64_t chunk = mb_bit_range((unsigned)unit, CHUNK_UNITS);
        if ((mask & chunk) != chunk) mask &= ~chunk;
    }
    return mask;
}
