#include "core/region/huge_chunk.h"

#include "core/region/arena.h"
#include "core/region/unit.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    BORDERS_MIN = 16,                         // each is one more of the 65,530 mappings that a process may have; one more
    BORDERS_SHARE = 8 << 20 >> MB_UNIT_SHIFT, //   for each so many units of heap,
    BORDERS_MAX = 2000,                       //   and no more than this
};

enum { PIECE_CHUNKS = 1024, PIECES = 512 };
static struct {
    _Atomic(_Atomic uint8_t *) piece[PIECES]; // written once each (release)
} chunks_shared;

static _Atomic(_Atomic uint8_t *) *piece_of(size_t chunk) { return &chunks_shared.piece[chunk / MB_HUGE_CHUNK_UNITS / PIECE_CHUNKS]; }

// NULL: nothing is known of the chunk, and nothing can be noted.
static _Atomic uint8_t *flags_at(size_t chunk) {
    _Atomic uint8_t *piece = atomic_load_explicit(piece_of(chunk), memory_order_acquire);
    return piece != NULL ? &piece[chunk / MB_HUGE_CHUNK_UNITS % PIECE_CHUNKS] : NULL;
}

uint32_t mb_huge_flags(size_t chunk) {
    _Atomic uint8_t *flags = flags_at(chunk);
    return flags != NULL ? atomic_load_explicit(flags, memory_order_relaxed) : 0;
}

// If two threads make the same piece, one of the two results is discarded.
bool mb_huge_make_room(size_t chunk) {
    if (flags_at(chunk) != NULL) return true;
    _Atomic uint8_t *none = NULL, *piece = mb_arena_metadata(PIECE_CHUNKS, 64);
    if (piece == NULL) return false;
    atomic_compare_exchange_strong_explicit(piece_of(chunk), &none, piece, memory_order_release, memory_order_relaxed);
    return true;
}

bool mb_huge_ask(size_t chunk, size_t chunks) {
    return mb_os_advise_huge((void *)mb_unit_address(chunk), chunks * MB_HUGE_PAGE_BYTES, true) == 0;
}

bool mb_huge_is_wished(size_t chunk) { return chunk < mb_arena_units() && (mb_huge_flags(chunk) & MB_HUGE_WISHED) != 0; }

static uint32_t advice(size_t chunk, uint32_t flags) {
    uint32_t told = flags & (MB_HUGE_WISHED | MB_HUGE_DROPPED);
    return told == 0 && mb_huge_is_small((void *)mb_unit_address(chunk)) ? MB_HUGE_DROPPED : told;
}

static ptrdiff_t differs_from(size_t chunk, uint32_t advised) {
    return chunk < MB_WINDOW_BYTES >> MB_UNIT_SHIFT && advice(chunk, mb_huge_flags(chunk)) != advised ? 1 : 0;
}

// Neighbours of which the system was told the same are one mapping.
static void count(size_t chunk, uint32_t flags_before, uint32_t flags) {
    uint32_t before = advice(chunk, flags_before), now = advice(chunk, flags);
    if (before == now) return;
    ptrdiff_t wished = (ptrdiff_t)(now & MB_HUGE_WISHED) - (ptrdiff_t)(before & MB_HUGE_WISHED);
    size_t below = chunk - MB_HUGE_CHUNK_UNITS, above = chunk + MB_HUGE_CHUNK_UNITS;
    ptrdiff_t borders = differs_from(below, now) + differs_from(above, now) - differs_from(below, before) - differs_from(above, before);
    if (wished != 0) atomic_fetch_add_explicit(&mb_huge_shared.wished_chunks, (size_t)wished, memory_order_relaxed);
    if (borders != 0) atomic_fetch_add_explicit(&mb_huge_shared.borders, borders, memory_order_relaxed);
}

void mb_huge_set_flags(size_t chunk, uint32_t flags) {
    _Atomic uint8_t *at = flags_at(chunk);
    if (at == NULL || atomic_load_explicit(at, memory_order_relaxed) == flags) return;
    count(chunk, atomic_exchange_explicit(at, (uint8_t)flags, memory_order_relaxed), flags);
}

static void unask(size_t chunk, size_t end) {
    mb_os_advise_huge((void *)mb_unit_address(chunk), (end - chunk) / MB_HUGE_CHUNK_UNITS * MB_HUGE_PAGE_BYTES, false);
}

// Scattered chunks lose their wishes, and each makes mappings: all that was advised becomes the same, and that is the
// end of it. Huge pages that are there stay.
MB_COLD static void drop_all(void) {
    size_t heap = mb_arena_units(), end;
    mb_huge_stop();
    for (size_t chunk = 0; chunk < heap; chunk = end + MB_HUGE_CHUNK_UNITS) {
        for (end = chunk; end < heap && (mb_huge_flags(end) & (MB_HUGE_WISHED | MB_HUGE_DROPPED)) != 0; end += MB_HUGE_CHUNK_UNITS)
            mb_huge_set_flags(end, MB_HUGE_DROPPED);
        if (end > chunk) unask(chunk, end);
    }
}

// The flag goes last: where it is set and the wish is gone already, nothing is lost but a system call.
void mb_huge_drop(size_t chunk) {
    if (atomic_load_explicit(&mb_huge_shared.borders, memory_order_relaxed) >= BORDERS_MAX) return drop_all();
    unask(chunk, chunk + MB_HUGE_CHUNK_UNITS);
    mb_huge_set_flags(chunk, MB_HUGE_DROPPED);
}

bool mb_huge_has_mappings_left(void) {
    size_t most = mb_min(BORDERS_MIN + mb_arena_units() / BORDERS_SHARE, BORDERS_MAX);
    return atomic_load_explicit(&mb_huge_shared.borders, memory_order_relaxed) < (ptrdiff_t)most;
}
