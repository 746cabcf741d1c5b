#include "core/region/piece_map.h"

#include <stdatomic.h>

#include "core/region/arena.h"
#include "platform/bits.h"
#include "platform/compiler.h"

enum {
    WORDS = 64,
    CHUNK_PIECES = WORDS * MB_PIECE_WORD,
    CHUNKS = 16384,
    GROUP_CHUNKS = 64,
    GROUPS = CHUNKS / GROUP_CHUNKS,
    HINT_LENGTH = 0xffff, // of a hint: no run is longer; above it a count of gives
    HINT_GIVE = 0x10000,
};

struct chunk_shared {
    _Atomic uint64_t free[WORDS];
    _Atomic uint64_t warm[WORDS];
    _Atomic uint64_t aged[WORDS];
};

static struct {
    struct chunk_shared first;                     // no metadata needed to start
    _Atomic(struct chunk_shared *) chunks[CHUNKS]; // written once each (release)
    _Atomic uint32_t hints[CHUNKS];                // any thread
    _Atomic uint32_t groups[GROUPS];               // likewise, of 64 chunks each
    _Atomic size_t end;                            // chunks that there are; by who extends the map
} map_shared;

size_t mb_piece_map_limit(void) { return (size_t)CHUNKS * CHUNK_PIECES; }

static struct chunk_shared *chunk_at(size_t chunk) { return atomic_load_explicit(&map_shared.chunks[chunk], memory_order_acquire); }
static struct chunk_shared *chunk_of(size_t word) { return chunk_at(word / WORDS); }

static bool make_chunk(size_t chunk) {
    struct chunk_shared *fresh = chunk == 0 ? &map_shared.first : mb_arena_metadata(sizeof *fresh, MB_LINE_PAIR);
    if (fresh == NULL) return false;
    atomic_store_explicit(&map_shared.chunks[chunk], fresh, memory_order_release);
    atomic_store_explicit(&map_shared.end, chunk + 1, memory_order_release);
    return true;
}

bool mb_piece_map_extend(size_t pieces) {
    size_t end = (pieces + CHUNK_PIECES - 1) / CHUNK_PIECES;
    for (size_t chunk = atomic_load_explicit(&map_shared.end, memory_order_relaxed); chunk < end; chunk++) {
        if (!make_chunk(chunk)) return false;
    }
    return true;
}

// --- hints ------------------------------------------------------------------------------------------------------------

// All in one order with the bits: a give between a search and the lowering of the hint is seen by its count.
static bool may_have(const _Atomic uint32_t *hint, size_t pieces, uint32_t *seen) {
    *seen = atomic_load(hint);
    return (*seen & HINT_LENGTH) >= pieces;
}

static void lower(_Atomic uint32_t *hint, uint32_t seen, size_t pieces) {
    atomic_compare_exchange_strong(hint, &seen, (seen & ~(uint32_t)HINT_LENGTH) | (uint32_t)(pieces - 1));
}

static void raise(_Atomic uint32_t *hint) { atomic_store(hint, ((atomic_load(hint) & ~(uint32_t)HINT_LENGTH) + HINT_GIVE) | CHUNK_PIECES); }

// --- finding ----------------------------------------------------------------------------------------------------------

// Bit i: bits i to i + count - 1 are set.
static uint64_t starts_of(uint64_t bits, size_t count) {
    for (size_t have = 1; bits != 0 && have < count;) {
        size_t step = mb_min(have, count - have);
        bits &= bits >> step;
        have += step;
    }
    return bits;
}

static size_t find_in(const struct chunk_shared *chunk, size_t pieces) {
    size_t run = 0; // that ends where the word begins
    for (size_t word = 0; word < WORDS; word++) {
        uint64_t bits = atomic_load(&chunk->free[word]), taken = ~bits;
        if (bits == 0) {
            run = 0;
            continue;
        }
        size_t head = taken == 0 ? MB_PIECE_WORD : mb_ctz64(taken);
        if (run + head >= pieces) return word * MB_PIECE_WORD - run;
        uint64_t starts = pieces < MB_PIECE_WORD ? starts_of(bits, pieces) : 0;
        if (starts != 0) return word * MB_PIECE_WORD + mb_ctz64(starts);
        run = taken == 0 ? run + MB_PIECE_WORD : MB_PIECE_WORD - 1 - mb_log2(taken);
    }
    return MB_NO_PIECE;
}

static size_t find_in_group(size_t group, size_t end, size_t pieces) {
    uint32_t seen;
    for (size_t chunk = group * GROUP_CHUNKS; chunk < end && chunk < (group + 1) * GROUP_CHUNKS; chunk++) {
        if (!may_have(&map_shared.hints[chunk], pieces, &seen)) continue;
        size_t first = find_in(chunk_at(chunk), pieces);
        if (first != MB_NO_PIECE) return chunk * CHUNK_PIECES + first;
        lower(&map_shared.hints[chunk], seen, pieces);
    }
    return MB_NO_PIECE;
}

// With an alignment a run that is longer by it, which fits wherever it begins.
size_t mb_piece_map_find(size_t pieces, size_t align) {
    size_t end = atomic_load_explicit(&map_shared.end, memory_order_acquire), wanted = pieces + align - 1;
    uint32_t seen;
    for (size_t group = 0; group * GROUP_CHUNKS < end; group++) {
        if (!may_have(&map_shared.groups[group], wanted, &seen)) continue;
        size_t first = find_in_group(group, end, wanted);
        if (first != MB_NO_PIECE) return mb_align_up(first, align);
        lower(&map_shared.groups[group], seen, wanted);
    }
    return MB_NO_PIECE;
}

// --- bits -------------------------------------------------------------------------------------------------------------

// The part of [first, first + pieces) that lies in first's word.
struct part {
    size_t word;
    uint64_t mask;
    size_t pieces;
};

static struct part part_at(size_t first, size_t pieces) {
    unsigned offset = (unsigned)(first % MB_PIECE_WORD);
    size_t count = mb_min(pieces, MB_PIECE_WORD - offset);
    return (struct part){first / MB_PIECE_WORD, mb_bit_range(offset, (unsigned)count), count};
}

static _Atomic uint64_t *free_word(size_t word) { return &chunk_of(word)->free[word % WORDS]; }
static _Atomic uint64_t *warm_word(size_t word) { return &chunk_of(word)->warm[word % WORDS]; }
static _Atomic uint64_t *aged_word(size_t word) { return &chunk_of(word)->aged[word % WORDS]; }

static void forget_age(size_t word, uint64_t mask) {
    if ((atomic_load_explicit(aged_word(word), memory_order_relaxed) & mask) == 0) return;
    atomic_fetch_and_explicit(aged_word(word), ~mask, memory_order_relaxed);
}

static bool claim_part(const struct part *part) {
    uint64_t seen = atomic_load_explicit(free_word(part->word), memory_order_relaxed);
    do {
        if ((seen & part->mask) != part->mask) return false;
    } while (!atomic_compare_exchange_weak_explicit(free_word(part->word), &seen, seen & ~part->mask, memory_order_acquire,
                                                    memory_order_relaxed));
    forget_age(part->word, part->mask);
    return true;
}

static void release_bits(size_t first, size_t pieces) {
    for (size_t done = 0; done < pieces;) {
        struct part part = part_at(first + done, pieces - done);
        atomic_fetch_or(free_word(part.word), part.mask);
        done += part.pieces;
    }
}

bool mb_piece_map_claim(size_t first, size_t pieces) {
    for (size_t done = 0; done < pieces;) {
        struct part part = part_at(first + done, pieces - done);
        if (!claim_part(&part)) {
            mb_piece_map_release(first, done);
            return false;
        }
        done += part.pieces;
    }
    return true;
}

uint64_t mb_piece_map_claim_mask(size_t word, uint64_t mask) {
    uint64_t mine = atomic_fetch_and_explicit(free_word(word), ~mask, memory_order_acquire) & mask;
    forget_age(word, mine);
    return mine;
}

void mb_piece_map_release(size_t first, size_t pieces) {
    if (pieces == 0) return;
    release_bits(first, pieces);
    size_t last = (first + pieces - 1) / CHUNK_PIECES;
    for (size_t chunk = first / CHUNK_PIECES; chunk <= last; chunk++) {
        raise(&map_shared.hints[chunk]);
        raise(&map_shared.groups[chunk / GROUP_CHUNKS]);
    }
}

size_t mb_piece_map_count_warm(size_t first, size_t pieces) {
    size_t count = 0;
    for (size_t done = 0; done < pieces;) {
        struct part part = part_at(first + done, pieces - done);
        count += mb_popcount64(atomic_load_explicit(warm_word(part.word), memory_order_relaxed) & part.mask);
        done += part.pieces;
    }
    return count;
}

void mb_piece_map_set_warm(size_t first, size_t pieces) {
    for (size_t done = 0; done < pieces;) {
        struct part part = part_at(first + done, pieces - done);
        atomic_fetch_or_explicit(warm_word(part.word), part.mask, memory_order_relaxed);
        done += part.pieces;
    }
}

void mb_piece_map_set_cold(size_t first, size_t pieces) {
    for (size_t done = 0; done < pieces;) {
        struct part part = part_at(first + done, pieces - done);
        atomic_fetch_and_explicit(warm_word(part.word), ~part.mask, memory_order_relaxed);
        done += part.pieces;
    }
}

// --- walks ------------------------------------------------------------------------------------------------------------

size_t mb_piece_map_next_word(size_t word) {
    size_t end = atomic_load_explicit(&map_shared.end, memory_order_acquire) * WORDS;
    uint32_t seen;
    while (word < end) {
        if (word % WORDS == 0 && !may_have(&map_shared.hints[word / WORDS], 1, &seen))
            word += WORDS;
        else if (mb_piece_map_free(word) != 0)
            return word;
        else
            word++;
    }
    return MB_NO_PIECE;
}

uint64_t mb_piece_map_free(size_t word) { return atomic_load_explicit(free_word(word), memory_order_acquire); }
uint64_t mb_piece_map_warm(size_t word) { return mb_piece_map_free(word) & atomic_load_explicit(warm_word(word), memory_order_relaxed); }
uint64_t mb_piece_map_old(size_t word) { return mb_piece_map_warm(word) & atomic_load_explicit(aged_word(word), memory_order_relaxed); }
void mb_piece_map_age(size_t word) { atomic_store_explicit(aged_word(word), mb_piece_map_warm(word), memory_order_relaxed); }
