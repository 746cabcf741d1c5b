#include "core/region/unit_map.h"

#include "platform/bits.h"

bool mb_map_extend(const struct mb_unit_map *map, size_t units, struct mb_map_chunk_shared *(*make)(void *), void *context) {
    size_t needed = (units + MB_MAP_CHUNK_UNITS - 1) / MB_MAP_CHUNK_UNITS;
    if (needed > map->limit) return false;
    for (size_t i = 0; i < needed; i++) {
        if (atomic_load_explicit(&map->chunks[i], memory_order_relaxed) != NULL) continue;
        struct mb_map_chunk_shared *chunk = make(context);
        if (chunk == NULL) return false;
        atomic_store_explicit(&map->chunks[i], chunk, memory_order_release);
    }
    return true;
}

static struct mb_map_chunk_shared *chunk_of(const struct mb_unit_map *map, size_t word) {
    return atomic_load_explicit(&map->chunks[word / MB_MAP_CHUNK_WORDS], memory_order_acquire);
}

static _Atomic uint64_t *free_word(const struct mb_unit_map *map, size_t word) {
    return &chunk_of(map, word)->free[word % MB_MAP_CHUNK_WORDS];
}
static _Atomic uint64_t *warm_word(const struct mb_unit_map *map, size_t word) {
    return &chunk_of(map, word)->warm[word % MB_MAP_CHUNK_WORDS];
}
static _Atomic uint64_t *bare_word(const struct mb_unit_map *map, size_t word) {
    return &chunk_of(map, word)->bare[word % MB_MAP_CHUNK_WORDS];
}
static _Atomic uint64_t *aged_word(const struct mb_unit_map *map, size_t word) {
    return &chunk_of(map, word)->aged[word % MB_MAP_CHUNK_WORDS];
}

static uint64_t read_free(const struct mb_unit_map *map, size_t word) { return atomic_load_explicit(free_word(map, word), memory_order_acquire); }

static uint64_t read_free_warm(const struct mb_unit_map *map, size_t word) {
    return read_free(map, word) & atomic_load_explicit(warm_word(map, word), memory_order_relaxed);
}

typedef uint64_t word_reader(const struct mb_unit_map *map, size_t word);

// The first unit at or after `unit`, below `end`, whose bit (xor flip) is set; `end` if none.
static size_t next_bit(const struct mb_unit_map *map, word_reader *read, uint64_t flip, size_t unit, size_t end) {
    while (unit < end) {
        uint64_t bits = (read(map, unit / 64) ^ flip) >> (unit % 64);
        if (bits != 0) return mb_min(unit + mb_ctz64(bits), end);
        unit = (unit / 64 + 1) * 64;
    }
    return end;
}

static size_t find_run(const struct mb_unit_map *map, word_reader *read, const struct mb_map_query *query) {
    size_t unit = 0;
    for (;;) {
        unit = next_bit(map, read, 0, unit, query->end);
        unit = mb_align_up(unit + query->phase, query->align) - query->phase;
        if (unit >= query->end || query->units > query->end - unit) return MB_NO_UNIT;
        size_t stop = next_bit(map, read, ~UINT64_C(0), unit, unit + query->units);
        if (stop == unit + query->units) return unit;
        unit = stop + 1;
    }
}

size_t mb_map_find_free(const struct mb_unit_map *map, const struct mb_map_query *query) { return find_run(map, read_free, query); }
size_t mb_map_find_warm(const struct mb_unit_map *map, const struct mb_map_query *query) { return find_run(map, read_free_warm, query); }
size_t mb_map_find_committed(const struct mb_unit_map *map, const struct mb_map_query *query) { return find_run(map, mb_map_decommittable, query); }

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

static bool claim_all(const struct mb_unit_map *map, size_t word, uint64_t mask) {
    uint64_t seen = read_free(map, word);
    do {
        if ((seen & mask) != mask) return false;
    } while (!atomic_compare_exchange_weak_explicit(free_word(map, word), &seen, seen & ~mask, memory_order_acquire,
                                                    memory_order_relaxed));
    if ((atomic_load_explicit(aged_word(map, word), memory_order_relaxed) & mask) != 0) {
        atomic_fetch_and_explicit(aged_word(map, word), ~mask, memory_order_relaxed);
    }
    return true;
}

bool mb_map_claim(const struct mb_unit_map *map, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        if (!claim_all(map, part.word, part.mask)) {
            if (done > 0) mb_map_release(map, first, done);
            return false;
        }
        done += part.units;
    }
    return true;
}

void mb_map_release(const struct mb_unit_map *map, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        atomic_fetch_or_explicit(free_word(map, part.word), part.mask, memory_order_release);
        done += part.units;
    }
}

bool mb_map_is_free(const struct mb_unit_map *map, size_t unit) { return (read_free(map, unit / 64) >> (unit % 64) & 1) != 0; }

typedef _Atomic uint64_t *plane(const struct mb_unit_map *map, size_t word);

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

void mb_map_age(const struct mb_unit_map *map, size_t end) {
    for (size_t word = 0; word * 64 < end; word++) {
        atomic_store_explicit(aged_word(map, word), read_free_warm(map, word), memory_order_relaxed);
    }
}

uint64_t mb_map_purgeable(const struct mb_unit_map *map, size_t word) { return read_free_warm(map, word); }

uint64_t mb_map_purgeable_old(const struct mb_unit_map *map, size_t word) {
    return read_free_warm(map, word) & atomic_load_explicit(aged_word(map, word), memory_order_relaxed);
}

uint64_t mb_map_decommittable(const struct mb_unit_map *map, size_t word) {
    return read_free(map, word) & ~atomic_load_explicit(bare_word(map, word), memory_order_relaxed);
}

uint64_t mb_map_claim_mask(const struct mb_unit_map *map, size_t word, uint64_t mask) {
    uint64_t seen = atomic_fetch_and_explicit(free_word(map, word), ~mask, memory_order_acquire);
    return seen & mask;
}

// --- notes ------------------------------------------------------------------------------------------------------------

static _Atomic uint64_t *hinted_word(const struct mb_unit_map *map, size_t word) {
    return &chunk_of(map, word)->noted[MB_MAP_HINTED][word % MB_MAP_CHUNK_WORDS];
}
static _Atomic uint64_t *changed_word(const struct mb_unit_map *map, size_t word) {
    return &chunk_of(map, word)->noted[MB_MAP_CHANGED][word % MB_MAP_CHUNK_WORDS];
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
