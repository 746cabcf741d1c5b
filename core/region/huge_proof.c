#include "core/region/huge_proof.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "core/base/rng.h"
#include "core/base/thread_number.h"
#include "core/region/arena.h"
#include "core/region/arena_map.h"
#include "core/region/changed.h"
#include "core/region/huge.h"
#include "core/region/huge_chunk.h"
#include "core/region/pieces.h"
#include "core/region/unit.h"
#include "platform/atomic.h"
#include "platform/bits.h"
#include "platform/os.h"

enum {
    CHUNKS_MIN = 4,  // entered by slabs before one is looked at, when its slabs should be carved out,
    CHUNKS_MAX = 16, //   in a small heap and in a large one
    THREADS = 64,
    SAMPLE = 16,      // pages that are looked at,
    ENOUGH = 4,       //   of slabs until so many are unwritten, else until one is where two looks were in vain
    WORDS = 4,        // of a page
    PAGED_MAX = 2048, // bytes of a block of which each page has two at least
    PARTS = 1024,     // a share is counted in such parts
    PARTS_BEGIN = PARTS * 15 / 16,
    PARTS_GO_ON = PARTS * 7 / 8,
    LOOKS = 4, // before which nothing is known; that of a long block counts more
    LONG_LOOKS = 3,
    LOOKS_MAX = 8, // in the mean
    SKIPPED_MAX = 63,
    VAIN_SKIPPED = 3, // after two looks in vain
    LOOK_UNITS = 32 << 20 >> MB_UNIT_SHIFT,
    LOST_SHARE = 32,
    LOST_KEPT_MIN = 256, // of what was lost a part less counts at each later look
    UNIT_BITS = 40,
    UNITS_MAX = (1 << 24) - 1,
};

// Of each kind. Any thread, relaxed.
struct series_shared {
    _Atomic size_t recent[THREADS]; // first unit + 1, and above it how many; in turn / each thread has its own, mostly
    _Atomic size_t entered;
    _Atomic size_t looks;      // up to LOOKS_MAX
    _Atomic size_t filled;     // parts: the mean of the last ones, a later one of which counts more
    _Atomic size_t step, skip; // entries that will not be looked at after a look in vain / after the last one
    _Atomic bool goes_on;
} MB_CACHE_ALIGNED;
static struct {
    struct series_shared series[MB_HUGE_KINDS];
    _Atomic size_t lost; // units in huge pages that were not written
} proof_shared;

static const uint16_t word_offset[WORDS] = {0, 1032, 2056, 3592};

enum answer { UNWRITTEN, WRITTEN, UNKNOWN };

// What cannot be read counts as unwritten: the program has taken its access rights away. A sandbox may refuse the
// question.
static enum answer ask_page(size_t unit, size_t page) {
    const char *at = (const char *)mb_unit_address(unit) + (page << MB_PIECE_SHIFT);
    for (size_t i = 0; i < WORDS; i++) {
        int zero = mb_os_is_zero_word(at + word_offset[i]);
        if (zero == 0) return WRITTEN;
        if (zero < 0 && zero != -EFAULT) return UNKNOWN;
    }
    return UNWRITTEN;
}

// SIZE_MAX: its blocks are longer. The descriptor of a unit that is no slab may not have been touched yet.
static size_t carved_parts(size_t unit) {
    if (mb_map_next_slab(&mb_arena_map, unit, unit + 1) != unit) return SIZE_MAX;
    const struct mb_unit *slab = mb_unit_at(unit);
    size_t bytes = MB_PEEK(slab->slab.block_bytes);
    if (mb_unit_kind(slab) != MB_UNIT_SLAB || bytes == 0 || bytes > PAGED_MAX) return SIZE_MAX;
    return mb_min(bytes * MB_PEEK(slab->slab.carved) * PARTS / (MB_UNIT_BYTES - MB_UNIT_BYTES % bytes), PARTS); // of two slabs, in a race
}

struct sample {
    size_t looked_at, parts; // pages; the sum of theirs
    size_t unwritten;
};

static void look_at_page(struct sample *sample, enum mb_huge_kind kind, size_t unit, size_t page) {
    bool gone = !mb_arena_is_warm(unit) || (mb_pieces_free_in(unit) >> page & 1) != 0;
    if (gone && kind != MB_HUGE_KIND_SLABS) return;     // not handed out yet, or freed: it says nothing
    if (mb_changed(unit, 1) == MB_CHANGE_STATE) return; // the program may have mapped something else there
    size_t parts = gone ? 0 : carved_parts(unit);
    enum answer answer = parts == SIZE_MAX ? ask_page(unit, page) : WRITTEN;
    if (answer == UNKNOWN) return;
    if (parts == SIZE_MAX) parts = answer == WRITTEN ? PARTS : 0;
    sample->looked_at++;
    sample->parts += parts;
    if (parts == 0) sample->unwritten++;
}

// When so many are unwritten, the rest counts as such.
static struct sample take_sample(enum mb_huge_kind kind, const struct mb_span *old, const struct mb_span *taken, size_t turn) {
    size_t step = atomic_load_explicit(&proof_shared.series[kind].step, memory_order_relaxed);
    size_t enough = step >= VAIN_SKIPPED ? 1 : kind == MB_HUGE_KIND_SLABS ? ENOUGH : SAMPLE;
    struct sample sample = {0, 0, 0};
    size_t pages = old->units * MB_UNIT_PIECES, stride = pages / SAMPLE;
    for (size_t i = 0; i < SAMPLE && sample.unwritten < enough; i++) {
        size_t page = i * stride + (size_t)(mb_mix64(turn * SAMPLE + i) >> 32) % stride, unit = old->first + page / MB_UNIT_PIECES;
        if (unit - taken->first >= taken->units) look_at_page(&sample, kind, unit, page % MB_UNIT_PIECES);
    }
    if (sample.unwritten >= enough) sample.looked_at = SAMPLE;
    return sample;
}

// What begins in a chunk that another one had entered has the chunk of its middle, if it is long.
static void count_lost(const struct mb_span *old, size_t parts) {
    size_t units = mb_max(old->units, MB_HUGE_CHUNK_UNITS), chunk = mb_huge_chunk_of(old->first + old->units / 2);
    size_t lost = atomic_load_explicit(&proof_shared.lost, memory_order_relaxed);
    size_t kept = mb_max(mb_arena_units() / MB_HUGE_CHUNK_UNITS, LOST_KEPT_MIN); // about as many looks as made the heap
    lost -= (lost + kept - 1) / kept;
    if (parts < PARTS_GO_ON && mb_huge_is_wished(chunk)) lost += units * (PARTS - parts) / PARTS;
    atomic_store_explicit(&proof_shared.lost, lost, memory_order_relaxed);
}

static bool is_rare(enum mb_huge_kind kind) { return kind == MB_HUGE_KIND_LONG || kind == MB_HUGE_KIND_SPARSE; }

// How many looks make the mean. In a larger heap one may be wrong, as where a thread has been stopped before it could
// write its block.
static size_t memory(enum mb_huge_kind kind) {
    if (kind == MB_HUGE_KIND_SLABS) return 2;
    return is_rare(kind) ? LONG_LOOKS : mb_min(mb_max(mb_arena_units() / LOOK_UNITS, 2), LOOKS_MAX);
}

static void judge(struct series_shared *series, enum mb_huge_kind kind, size_t parts) {
    size_t looks = atomic_load_explicit(&series->looks, memory_order_relaxed);
    size_t filled = atomic_load_explicit(&series->filled, memory_order_relaxed), share = mb_min(++looks, memory(kind));
    filled = (filled * (share - 1) + parts) / share;
    bool on = filled >= (atomic_load_explicit(&series->goes_on, memory_order_relaxed) ? PARTS_GO_ON : PARTS_BEGIN);
    atomic_store_explicit(&series->looks, mb_min(looks, LOOKS_MAX), memory_order_relaxed);
    atomic_store_explicit(&series->filled, filled, memory_order_relaxed);
    atomic_store_explicit(&series->goes_on, on && looks >= (is_rare(kind) ? LONG_LOOKS : LOOKS), memory_order_relaxed);
}

// Who leaves all unwritten need not be asked each time.
static bool is_skipped(struct series_shared *series) {
    size_t skip = atomic_load_explicit(&series->skip, memory_order_relaxed);
    if (skip > 0) atomic_store_explicit(&series->skip, skip - 1, memory_order_relaxed);
    return skip > 0;
}

static void note_vain(struct series_shared *series, bool vain) {
    size_t skip = vain ? atomic_load_explicit(&series->step, memory_order_relaxed) : 0;
    atomic_store_explicit(&series->step, vain ? mb_min(2 * skip + 1, SKIPPED_MAX) : 0, memory_order_relaxed);
    atomic_store_explicit(&series->skip, skip, memory_order_relaxed);
}

static void look(enum mb_huge_kind kind, size_t entry, const struct mb_span *taken, size_t turn) {
    struct series_shared *series = &proof_shared.series[kind];
    struct mb_span old = {(entry & (((size_t)1 << UNIT_BITS) - 1)) - 1, entry >> UNIT_BITS, false};
    if (is_skipped(series)) return;
    struct sample sample = take_sample(kind, &old, taken, turn);
    if (sample.looked_at == 0) return;
    size_t parts = sample.parts / sample.looked_at;
    judge(series, kind, parts);
    if (kind == MB_HUGE_KIND_SLABS) return;
    note_vain(series, parts <= PARTS / 16);
    count_lost(&old, parts);
}

static bool is_little_lost(void) { return atomic_load_explicit(&proof_shared.lost, memory_order_relaxed) <= mb_arena_units() / LOST_SHARE; }

static _Atomic size_t *place(enum mb_huge_kind kind, size_t turn) {
    size_t chunks = mb_min(mb_max(mb_arena_units() / LOOK_UNITS, CHUNKS_MIN), CHUNKS_MAX);
    return &proof_shared.series[kind].recent[kind == MB_HUGE_KIND_SLABS ? turn % chunks : mb_thread_number() % THREADS];
}

bool mb_huge_proof_enter(enum mb_huge_kind kind, const struct mb_span *taken) {
    struct series_shared *series = &proof_shared.series[kind];
    size_t turn = atomic_fetch_add_explicit(&series->entered, 1, memory_order_relaxed);
    struct mb_span entered = *taken;
    if (kind == MB_HUGE_KIND_SLABS) entered = (struct mb_span){mb_huge_chunk_of(taken->first), MB_HUGE_CHUNK_UNITS, false};
    size_t entry = (entered.first + 1) | mb_min(entered.units, UNITS_MAX) << UNIT_BITS;
    size_t old = atomic_exchange_explicit(place(kind, turn), entry, memory_order_relaxed);
    if (old != 0) look(kind, old, taken, turn);
    return atomic_load_explicit(&series->goes_on, memory_order_relaxed) && (kind == MB_HUGE_KIND_SLABS || is_little_lost());
}

bool mb_huge_proof_is_vain(enum mb_huge_kind kind) {
    return atomic_load_explicit(&proof_shared.series[kind].step, memory_order_relaxed) >= VAIN_SKIPPED;
}
