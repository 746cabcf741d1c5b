#include "core/region/piece_map.h"

#include <stdatomic.h>

#include "core/region/arena.h"
#include "core/region/piece_map_shared.h"
#include "platform/bits.h"
#include "platform/compiler.h"

struct mb_piece_map_shared mb_piece_map_shared;

size_t mb_piece_map_limit(void) { return (size_t)MB_CHUNKS * MB_CHUNK_PIECES; }

static struct mb_chunk_shared *chunk_of(size_t word) { return mb_chunk_at(word / MB_CHUNK_WORDS); }

static bool make_chunk(size_t chunk) {
    struct mb_chunk_shared *fresh = chunk == 0 ? &mb_piece_map_shared.first : mb_arena_metadata(sizeof *fresh, MB_LINE_PAIR);
    if (fresh == NULL) return false;
    atomic_store_explicit(&mb_piece_map_shared.chunks[chunk], fresh, memory_order_release);
    atomic_store_explicit(&mb_piece_map_shared.end, chunk + 1, memory_order_release);
    return true;
}

bool mb_piece_map_extend(size_t pieces) {
    size_t end = (pieces + MB_CHUNK_PIECES - 1) / MB_CHUNK_PIECES;
    for (size_t chunk = atomic_load_explicit(&mb_piece_map_shared.end, memory_order_relaxed); chunk < end; chunk++) {
        if (!make_chunk(chunk)) return false;
    }
    return true;
}

// --- bits ------------------------------------------------------------------------------------------------------------

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

static _Atomic uint64_t *free_word(size_t word) { return &chunk_of(word)->free[word % MB_CHUNK_WORDS]; }
static _Atomic uint64_t *warm_word(size_t word) { return &chunk_of(word)->warm[word % MB_CHUNK_WORDS]; }
static _Atomic uint64_t *aged_word(size_t word) { return &chunk_of(word)->aged[word % MB_CHUNK_WORDS]; }

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

static void flag_whole(size_t chunk) {
    size_t word = chunk / 64;
    if ((atomic_load(&mb_piece_map_shared.whole[word]) >> chunk % 64 & 1) == 0)
        atomic_fetch_or(&mb_piece_map_shared.whole[word], UINT64_C(1) << chunk % 64);
    if ((atomic_load(&mb_piece_map_shared.wholes[word / 64]) >> word % 64 & 1) == 0)
        atomic_fetch_or(&mb_piece_map_shared.wholes[word / 64], UINT64_C(1) << word % 64);
}

static void release_bits(size_t first, size_t pieces) {
    for (size_t done = 0; done < pieces;) {
        struct part part = part_at(first + done, pieces - done);
        uint64_t bits = atomic_fetch_or(free_word(part.word), part.mask) | part.mask;
        if (mb_piece_map_whole_units(bits) != 0) flag_whole(part.word / MB_CHUNK_WORDS);
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
    size_t first_word = first / MB_PIECE_WORD, last_word = (first + pieces - 1) / MB_PIECE_WORD;
    for (size_t chunk = first_word / MB_CHUNK_WORDS; chunk <= last_word / MB_CHUNK_WORDS; chunk++) {
        mb_piece_hints_raise(chunk, mb_max(first_word, chunk * MB_CHUNK_WORDS) % MB_CHUNK_WORDS,
                             mb_min(last_word, chunk * MB_CHUNK_WORDS + MB_CHUNK_WORDS - 1) % MB_CHUNK_WORDS);
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
        bool all = (atomic_load_explicit(warm_word(part.word), memory_order_relaxed) & part.mask) == part.mask;
        if (!all) atomic_fetch_or_explicit(warm_word(part.word), part.mask, memory_order_relaxed);
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

// --- walks -----------------------------------------------------------------------------------------------------------

static bool visit_words(size_t chunk, mb_piece_visit *visit, void *context) {
    bool any = false;
    for (size_t word = chunk * MB_CHUNK_WORDS; word < (chunk + 1) * MB_CHUNK_WORDS; word++) {
        if (mb_piece_map_free(word) == 0) continue;
        any = true;
        visit(context, word);
    }
    return any;
}

size_t mb_piece_map_walk(size_t chunk, size_t chunks, mb_piece_visit *visit, void *context) {
    size_t end = mb_chunks_end();
    uint32_t seen;
    while (chunk < end && chunks > 0) {
        if (chunk % MB_CHUNK_GROUP == 0 && !mb_piece_hints_group_may_have(chunk / MB_CHUNK_GROUP)) {
            chunk += MB_CHUNK_GROUP;
            continue;
        }
        if (mb_piece_hints_may_have(chunk, &seen)) {
            if (!visit_words(chunk, visit, context)) mb_piece_hints_found_none(chunk, seen);
            chunks--;
        }
        chunk++;
    }
    return chunk < end ? chunk : MB_NO_PIECE;
}

// A thread that is absent may have set bits and not come to the hints.
void mb_piece_map_recover(mb_piece_visit *visit, void *context) {
    size_t end = mb_chunks_end();
    for (size_t chunk = 0; chunk < end; chunk++) {
        if (!visit_words(chunk, visit, context)) continue;
        mb_piece_hints_raise(chunk, 0, MB_CHUNK_WORDS - 1);
        flag_whole(chunk);
    }
}

// Flags go before the bits are looked at.
static size_t take_flag(size_t word) {
    uint64_t flags = atomic_load(&mb_piece_map_shared.whole[word]);
    if (flags == 0) return MB_NO_PIECE;
    unsigned bit = mb_ctz64(flags);
    uint64_t mine = atomic_fetch_and(&mb_piece_map_shared.whole[word], ~(UINT64_C(1) << bit));
    return (mine >> bit & 1) != 0 ? word * 64 + bit : MB_NO_PIECE;
}

static size_t take_flag_of(size_t words) {
    for (uint64_t may; (may = atomic_load(&mb_piece_map_shared.wholes[words])) != 0;) {
        size_t word = words * 64 + mb_ctz64(may), chunk = take_flag(word);
        if (chunk != MB_NO_PIECE) return chunk;
        atomic_fetch_and(&mb_piece_map_shared.wholes[words], ~(may & -may));
        if (atomic_load(&mb_piece_map_shared.whole[word]) != 0) atomic_fetch_or(&mb_piece_map_shared.wholes[words], may & -may);
    }
    return MB_NO_PIECE;
}

bool mb_piece_map_visit_whole(mb_piece_visit *visit, void *context) {
    for (size_t words = 0; words < MB_CHUNK_FLAGS / 64; words++) {
        size_t chunk = take_flag_of(words);
        if (chunk == MB_NO_PIECE) continue;
        visit_words(chunk, visit, context);
        return true;
    }
    return false;
}

uint64_t mb_piece_map_free(size_t word) { return atomic_load_explicit(free_word(word), memory_order_acquire); }
uint64_t mb_piece_map_warm(size_t word) { return mb_piece_map_free(word) & atomic_load_explicit(warm_word(word), memory_order_relaxed); }
uint64_t mb_piece_map_old(size_t word) { return mb_piece_map_warm(word) & atomic_load_explicit(aged_word(word), memory_order_relaxed); }
void mb_piece_map_age(size_t word) { atomic_store_explicit(aged_word(word), mb_piece_map_warm(word), memory_order_relaxed); }
