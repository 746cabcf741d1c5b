#include "core/region/unit_map.h"

#include "core/base/check.h"
#include "core/region/arena.h"
#include "platform/bits.h"

enum { CHUNKS = 4096 }; // 1 TiB of units

static struct mb_map_chunk_shared first_chunk; // no metadata needed to start

static struct {
    _Atomic(struct mb_map_chunk_shared *) chunks[CHUNKS]; // written once each under the arena's lock (release)
} directory_shared;

bool mb_map_extend(size_t units) {
    size_t needed = (units + MB_MAP_CHUNK_UNITS - 1) / MB_MAP_CHUNK_UNITS;
    if (needed > CHUNKS) return false;
    for (size_t i = 0; i < needed; i++) {
        if (atomic_load_explicit(&directory_shared.chunks[i], memory_order_relaxed) != NULL) continue;
        struct mb_map_chunk_shared *chunk = i == 0 ? &first_chunk : mb_arena_metadata(sizeof *chunk, 64);
        if (chunk == NULL) return false;
        atomic_store_explicit(&directory_shared.chunks[i], chunk, memory_order_release);
    }
    return true;
}

static struct mb_map_chunk_shared *chunk_of(size_t word) {
    return atomic_load_explicit(&directory_shared.chunks[word / MB_MAP_CHUNK_WORDS], memory_order_acquire);
}

static _Atomic uint64_t *free_word(size_t word) { return &chunk_of(word)->free[word % MB_MAP_CHUNK_WORDS]; }
static _Atomic uint64_t *warm_word(size_t word) { return &chunk_of(word)->warm[word % MB_MAP_CHUNK_WORDS]; }
static _Atomic uint64_t *bare_word(size_t word) { return &chunk_of(word)->bare[word % MB_MAP_CHUNK_WORDS]; }
static _Atomic uint64_t *aged_word(size_t word) { return &chunk_of(word)->aged[word % MB_MAP_CHUNK_WORDS]; }

static uint64_t read_free(size_t word) { return atomic_load_explicit(free_word(word), memory_order_acquire); }

static uint64_t read_free_warm(size_t word) {
    return read_free(word) & atomic_load_explicit(warm_word(word), memory_order_relaxed);
}

typedef uint64_t word_reader(size_t word);

// The first unit at or after `unit`, below `end`, whose bit (xor flip) is set; `end` if none.
static size_t next_bit(word_reader *read, uint64_t flip, size_t unit, size_t end) {
    while (unit < end) {
        uint64_t bits = (read(unit / 64) ^ flip) >> (unit % 64);
        if (bits != 0) return mb_min(unit + mb_ctz64(bits), end);
        unit = (unit / 64 + 1) * 64;
    }
    return end;
}

static size_t find_run(word_reader *read, const struct mb_map_query *query) {
    size_t unit = 0;
    for (;;) {
        unit = next_bit(read, 0, unit, query->end);
        unit = mb_align_up(unit + query->phase, query->align) - query->phase;
        if (unit >= query->end || query->units > query->end - unit) return MB_NO_UNIT;
        size_t stop = next_bit(read, ~UINT64_C(0), unit, unit + query->units);
        if (stop == unit + query->units) return unit;
        unit = stop + 1;
    }
}

size_t mb_map_find_free(const struct mb_map_query *query) { return find_run(read_free, query); }
size_t mb_map_find_warm(const struct mb_map_query *query) { return find_run(read_free_warm, query); }
size_t mb_map_find_committed(const struct mb_map_query *query) { return find_run(mb_map_decommittable, query); }

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

static bool claim_all(size_t word, uint64_t mask) {
    uint64_t seen = read_free(word);
    do {
        if ((seen & mask) != mask) return false;
    } while (!atomic_compare_exchange_weak_explicit(free_word(word), &seen, seen & ~mask, memory_order_acquire,
                                                    memory_order_relaxed));
    if ((atomic_load_explicit(aged_word(word), memory_order_relaxed) & mask) != 0) {
        atomic_fetch_and_explicit(aged_word(word), ~mask, memory_order_relaxed);
    }
    return true;
}

bool mb_map_claim(size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        if (!claim_all(part.word, part.mask)) {
            if (done > 0) mb_map_release(first, done);
            return false;
        }
        done += part.units;
    }
    return true;
}

void mb_map_release(size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        atomic_fetch_or_explicit(free_word(part.word), part.mask, memory_order_release);
        done += part.units;
    }
}

bool mb_map_is_free(size_t unit) { return (read_free(unit / 64) >> (unit % 64) & 1) != 0; }

typedef _Atomic uint64_t *plane(size_t word);

static size_t count_bits(plane *at, size_t first, size_t units) {
    size_t count = 0;
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        count += mb_popcount64(atomic_load_explicit(at(part.word), memory_order_relaxed) & part.mask);
        done += part.units;
    }
    return count;
}

static void set_bits(plane *at, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        atomic_fetch_or_explicit(at(part.word), part.mask, memory_order_relaxed);
        done += part.units;
    }
}

static void clear_bits(plane *at, size_t first, size_t units) {
    for (size_t done = 0; done < units;) {
        struct part part = part_at(first + done, units - done);
        atomic_fetch_and_explicit(at(part.word), ~part.mask, memory_order_relaxed);
        done += part.units;
    }
}

size_t mb_map_count_warm(size_t first, size_t units) { return count_bits(warm_word, first, units); }
void mb_map_set_warm(size_t first, size_t units) { set_bits(warm_word, first, units); }
void mb_map_set_cold(size_t first, size_t units) { clear_bits(warm_word, first, units); }
size_t mb_map_count_bare(size_t first, size_t units) { return count_bits(bare_word, first, units); }
void mb_map_set_bare(size_t first, size_t units) { set_bits(bare_word, first, units); }
void mb_map_set_committed(size_t first, size_t units) { clear_bits(bare_word, first, units); }

void mb_map_age(size_t end) {
    for (size_t word = 0; word * 64 < end; word++) {
        atomic_store_explicit(aged_word(word), read_free_warm(word), memory_order_relaxed);
    }
}

uint64_t mb_map_purgeable(size_t word) { return read_free_warm(word); }

uint64_t mb_map_purgeable_old(size_t word) {
    return read_free_warm(word) & atomic_load_explicit(aged_word(word), memory_order_relaxed);
}

uint64_t mb_map_decommittable(size_t word) {
    return read_free(word) & ~atomic_load_explicit(bare_word(word), memory_order_relaxed);
}

uint64_t mb_map_claim_mask(size_t word, uint64_t mask) {
    uint64_t seen = atomic_fetch_and_explicit(free_word(word), ~mask, memory_order_acquire);
    return seen & mask;
}
