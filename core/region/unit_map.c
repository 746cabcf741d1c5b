#include "core/region/unit_map.h"

#include "core/region/map_runs.h"
#include "platform/bits.h"

typedef _Atomic uint64_t *plane(const struct mb_unit_map *map, size_t word);

static _Atomic uint64_t *free_word(const struct mb_unit_map *map, size_t word) {
    return &mb_map_word_of(map, word)->free;
}
static _Atomic uint64_t *warm_word(const struct mb_unit_map *map, size_t word) {
    return &mb_map_word_of(map, word)->warm;
}
static _Atomic uint64_t *bare_word(const struct mb_unit_map *map, size_t word) {
    return &mb_map_word_of(map, word)->bare;
}
static _Atomic uint64_t *aged_word(const struct mb_unit_map *map, size_t word) {
    return &mb_map_word_of(map, word)->aged;
}

static _Atomic uint64_t *slab_word(const struct mb_unit_map *map, size_t word) {
    return &mb_map_word_of(map, word)->slab;
}

// The part of [first, first + units) that lies in first's word.
struct part {
    size_t word;
    uint64_t mask;
    size_t units;
};

static struct part part_at(size_t first, size_t units) {
    unsigned offset = (unsigned)(first % 64);
    size_t count = mb_min(units, 64 - offset);
    return (struct part){first / 64, mb_bit_range(offset, (unsigned)count), count};
}

// --- claiming --------------------------------------------------------------------------------------------------------

static void forget_age(const struct mb_unit_map *map, size_t word, uint64_t mask) {
    if ((atomic_load_explicit(aged_word(map, word), memory_order_relaxed) & mask) == 0) return;
    atomic_fetch_and_explicit(aged_word(map, word), ~mask, memory_order_relaxed);
}

static bool claim_bits(const struct mb_unit_map *map, size_t word, uint64_t mask) {
    uint64_t seen = atomic_load_explicit(free_word(map, word), memory_order_relaxed);
    do {
        if ((seen & mask) != mask) return false;
    } while (!atomic_compare_exchange_weak_explicit(free_word(map, word), &seen, seen & ~mask, memory_order_seq_cst, memory_order_relaxed));
    forget_age(map, word, mask);
    return true;
}

static void release_bits(const struct mb_unit_map *map, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        atomic_fetch_or_explicit(free_word(map, part.word), part.mask, memory_order_seq_cst);
        done += part.units;
    }
}

static size_t last_word(size_t first, size_t units) { return (first + units - 1) / 64; }

// A run was found but could not be claimed: the thread that took it may not have updated the tree yet.
MB_COLD static bool claim_failed(const struct mb_unit_map *map, size_t first, size_t done) {
    release_bits(map, first, done);
    mb_map_refresh_all_above(map, first / 64, last_word(first, done + 1));
    return false;
}

bool mb_map_claim(const struct mb_unit_map *map, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        if (!claim_bits(map, part.word, part.mask)) return claim_failed(map, first, done);
        done += part.units;
    }
    mb_map_refresh(map, first / 64, last_word(first, units));
    return true;
}

void mb_map_release(const struct mb_unit_map *map, size_t first, size_t units) {
    if (units == 0) return;
    release_bits(map, first, units);
    mb_map_refresh(map, first / 64, last_word(first, units));
}

uint64_t mb_map_claim_mask(const struct mb_unit_map *map, size_t word, uint64_t mask) {
    uint64_t seen = atomic_fetch_and_explicit(free_word(map, word), ~mask, memory_order_seq_cst);
    mb_map_refresh(map, word, word);
    return seen & mask;
}

void mb_map_count_span(const struct mb_unit_map *map, size_t first) {
    atomic_fetch_add_explicit(&mb_map_word_of(map, first / 64)->spans, 1, memory_order_relaxed);
}

uint64_t mb_map_spans(const struct mb_unit_map *map, size_t end) {
    uint64_t spans = 0;
    for (size_t word = 0; word * 64 < end; word++) spans += atomic_load_explicit(&mb_map_word_of(map, word)->spans, memory_order_relaxed);
    return spans;
}

bool mb_map_is_free(const struct mb_unit_map *map, size_t unit) { return (mb_map_bits(map, MB_MAP_FREE, unit / 64) >> (unit % 64) & 1) != 0; }

// --- what is known of units ------------------------------------------------------------------------------------------

static size_t count_bits(const struct mb_unit_map *map, plane *at, size_t first, size_t units) {
    size_t count = 0;
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        count += mb_popcount64(atomic_load_explicit(at(map, part.word), memory_order_relaxed) & part.mask);
        done += part.units;
    }
    return count;
}

static void set_bits(const struct mb_unit_map *map, plane *at, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        atomic_fetch_or_explicit(at(map, part.word), part.mask, memory_order_relaxed);
        done += part.units;
    }
}

static void clear_bits(const struct mb_unit_map *map, plane *at, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        atomic_fetch_and_explicit(at(map, part.word), ~part.mask, memory_order_relaxed);
        done += part.units;
    }
}

size_t mb_map_count_warm(const struct mb_unit_map *map, size_t first, size_t units) { return count_bits(map, warm_word, first, units); }
void mb_map_set_warm(const struct mb_unit_map *map, size_t first, size_t units) { set_bits(map, warm_word, first, units); }
void mb_map_set_cold(const struct mb_unit_map *map, size_t first, size_t units) { clear_bits(map, warm_word, first, units); }
size_t mb_map_count_bare(const struct mb_unit_map *map, size_t first, size_t units) { return count_bits(map, bare_word, first, units); }
void mb_map_set_bare(const struct mb_unit_map *map, size_t first, size_t units) { set_bits(map, bare_word, first, units); }
void mb_map_set_committed(const struct mb_unit_map *map, size_t first, size_t units) { clear_bits(map, bare_word, first, units); }

void mb_map_set_slab(const struct mb_unit_map *map, size_t unit) { set_bits(map, slab_word, unit, 1); }
void mb_map_clear_slab(const struct mb_unit_map *map, size_t unit) { clear_bits(map, slab_word, unit, 1); }

static uint64_t slab_bits(const struct mb_unit_map *map, size_t word) {
    return atomic_load_explicit(slab_word(map, word), memory_order_relaxed);
}
static uint64_t other_bits(const struct mb_unit_map *map, size_t word) {
    return ~(mb_map_bits(map, MB_MAP_FREE, word) | slab_bits(map, word));
}

static size_t next_bit(const struct mb_unit_map *map, uint64_t (*read)(const struct mb_unit_map *, size_t), size_t unit, size_t end) {
    for (; unit < end; unit = mb_align_down(unit, 64) + 64) {
        uint64_t bits = read(map, unit / 64) >> unit % 64;
        if (bits == 0) continue;
        unit += mb_ctz64(bits);
        return unit < end ? unit : MB_NO_UNIT;
    }
    return MB_NO_UNIT;
}

size_t mb_map_next_slab(const struct mb_unit_map *map, size_t unit, size_t end) { return next_bit(map, slab_bits, unit, end); }
size_t mb_map_next_other(const struct mb_unit_map *map, size_t unit, size_t end) { return next_bit(map, other_bits, unit, end); }

size_t mb_map_count_warm_free(const struct mb_unit_map *map, size_t end) {
    size_t units = 0;
    for (size_t word = 0; word * 64 < end; word++) units += mb_popcount64(mb_map_bits(map, MB_MAP_WARM, word));
    return units;
}

// --- what may be given back ------------------------------------------------------------------------------------------

uint64_t mb_map_purgeable(const struct mb_unit_map *map, size_t word) { return mb_map_bits(map, MB_MAP_WARM, word); }

uint64_t mb_map_purgeable_old(const struct mb_unit_map *map, size_t word) {
    return mb_map_purgeable(map, word) & atomic_load_explicit(aged_word(map, word), memory_order_relaxed);
}

uint64_t mb_map_decommittable(const struct mb_unit_map *map, size_t word) { return mb_map_bits(map, MB_MAP_COMMITTED, word); }

void mb_map_age(const struct mb_unit_map *map, size_t word) {
    atomic_store_explicit(aged_word(map, word), mb_map_purgeable(map, word), memory_order_relaxed);
}

// --- notes -----------------------------------------------------------------------------------------------------------

static _Atomic uint64_t *hinted_word(const struct mb_unit_map *map, size_t word) {
    return &mb_map_word_of(map, word)->noted[MB_MAP_HINTED];
}
static _Atomic uint64_t *changed_word(const struct mb_unit_map *map, size_t word) {
    return &mb_map_word_of(map, word)->noted[MB_MAP_CHANGED];
}
static plane *plane_of(enum mb_map_note note) { return note == MB_MAP_HINTED ? hinted_word : changed_word; }

void mb_map_note(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units) {
    set_bits(map, plane_of(note), first, units);
}
bool mb_map_is_noted(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units) {
    return count_bits(map, plane_of(note), first, units) != 0;
}
void mb_map_forget(const struct mb_unit_map *map, enum mb_map_note note, size_t first, size_t units) {
    if (mb_map_is_noted(map, note, first, units)) clear_bits(map, plane_of(note), first, units);
}
