#include <stdatomic.h>

#include "core/region/piece_map_shared.h"
#include "core/region/run.h"
#include "platform/bits.h"
#include "platform/compiler.h"

enum {
    LANE_MAX = 255,
    RUN_MAX = 254,        // that a search can ask for
    RUN_WORDS = 5,        // that such a run can lie in
    HINT_LENGTH = 0xffff, // of a hint: no run is longer; above it a count of gives
    HINT_GIVE = 0x10000,
};

// --- hints of chunks -------------------------------------------------------------------------------------------------

// All in one order with the bits: a give between a search and the lowering of the hint is seen by its count.
static bool may_have(const _Atomic uint32_t *hint, size_t pieces, uint32_t *seen) {
    *seen = atomic_load(hint);
    return (*seen & HINT_LENGTH) >= pieces;
}

static void lower(_Atomic uint32_t *hint, uint32_t seen, size_t pieces) {
    atomic_compare_exchange_strong(hint, &seen, (seen & ~(uint32_t)HINT_LENGTH) | (uint32_t)(pieces - 1));
}

static void raise(_Atomic uint32_t *hint) {
    atomic_store(hint, ((atomic_load(hint) & ~(uint32_t)HINT_LENGTH) + HINT_GIVE) | MB_CHUNK_PIECES);
}

// --- hints of words --------------------------------------------------------------------------------------------------

static const uint64_t LANE_LOW = UINT64_C(0x0101010101010101), LANE_HIGH = UINT64_C(0x8080808080808080);

// Bit 7 of each lane that is at least `least`, which stands in every lane of `all`.
static uint64_t lanes_from(uint64_t lanes, uint64_t all) {
    uint64_t no_borrow = (lanes | LANE_HIGH) - (all & ~LANE_HIGH); // bit 7: the low seven bits are at least as much
    return ((lanes & ~all) | (~(lanes ^ all) & no_borrow)) & LANE_HIGH;
}

static void raise_word(struct mb_chunk_shared *chunk, size_t word) {
    uint64_t lane = (uint64_t)LANE_MAX << word % MB_HINT_LANES * 8;
    if ((atomic_load(&chunk->longest[word / MB_HINT_LANES]) & lane) != lane) atomic_fetch_or(&chunk->longest[word / MB_HINT_LANES], lane);
}

static void lower_word(struct mb_chunk_shared *chunk, size_t word, size_t longest) {
    unsigned shift = (unsigned)(word % MB_HINT_LANES * 8);
    uint64_t seen = atomic_load(&chunk->longest[word / MB_HINT_LANES]);
    uint64_t lower = (seen & ~((uint64_t)LANE_MAX << shift)) | (uint64_t)longest << shift;
    atomic_compare_exchange_strong(&chunk->longest[word / MB_HINT_LANES], &seen, lower);
}

// Words first to last of a chunk have got free pieces: runs that begin there may be longer, and those that reach into
// the first one.
static void raise_words(struct mb_chunk_shared *chunk, size_t first, size_t last) {
    for (size_t word = first; word <= last; word++) raise_word(chunk, word);
    for (size_t word = first, steps = RUN_WORDS - 1; word > 0 && steps > 0; word--, steps--) {
        uint64_t before = atomic_load(&chunk->free[word - 1]);
        if (before >> 63 == 0 || (atomic_load(&chunk->free[word]) & 1) == 0) return;
        raise_word(chunk, word - 1);
        if (~before != 0) return;
    }
}

void mb_piece_hints_raise(size_t chunk, size_t first, size_t last) {
    raise_words(mb_chunk_at(chunk), first, last);
    raise(&mb_piece_map_shared.hints[chunk]);
    raise(&mb_piece_map_shared.groups[chunk / MB_CHUNK_GROUP]);
}

bool mb_piece_hints_may_have(size_t chunk, uint32_t *seen) { return may_have(&mb_piece_map_shared.hints[chunk], 1, seen); }
bool mb_piece_hints_group_may_have(size_t group) {
    uint32_t seen;
    return may_have(&mb_piece_map_shared.groups[group], 1, &seen);
}
void mb_piece_hints_found_none(size_t chunk, uint32_t seen) { lower(&mb_piece_map_shared.hints[chunk], seen, 1); }

// --- finding ---------------------------------------------------------------------------------------------------------

// The longest run of set bits, by halves: the powers of two that fit, then what fits behind the greatest.
static size_t longest_of(uint64_t bits) {
    uint64_t runs[7] = {bits}; // bit i of runs[k]: 2^k bits from i on are set
    unsigned k = 0;
    if (bits == 0) return 0;
    while (k < 6 && (runs[k + 1] = runs[k] & runs[k] >> (1u << k)) != 0) k++;
    uint64_t starts = runs[k];
    size_t length = (size_t)1 << k;
    while (k-- > 0 && length < MB_PIECE_WORD) {
        uint64_t longer = starts & runs[k] >> length;
        if (longer == 0) continue;
        starts = longer;
        length += (size_t)1 << k;
    }
    return length;
}

static unsigned tail_of(uint64_t bits) { return ~bits == 0 ? MB_PIECE_WORD : 63 - mb_log2(~bits); }

// Free pieces at the head of the words from this one on, LANE_MAX at most.
static size_t head_from(const struct mb_chunk_shared *chunk, size_t word) {
    size_t pieces = 0;
    for (; word < MB_CHUNK_WORDS && pieces < LANE_MAX; word++) {
        uint64_t taken = ~atomic_load(&chunk->free[word]);
        if (taken != 0) return mb_min(pieces + mb_ctz64(taken), LANE_MAX);
        pieces += MB_PIECE_WORD;
    }
    return mb_min(pieces, LANE_MAX);
}

// A word and the next one, as they were looked at.
struct pair {
    uint64_t bits, next;
};

static struct pair look_at(const struct mb_chunk_shared *chunk, size_t word) {
    uint64_t bits = atomic_load(&chunk->free[word]);
    return (struct pair){bits, word + 1 < MB_CHUNK_WORDS ? atomic_load(&chunk->free[word + 1]) : 0};
}

// The longest run that begins in this word.
static size_t longest_from(const struct mb_chunk_shared *chunk, size_t word, struct pair seen) {
    unsigned tail = tail_of(seen.bits);
    size_t head = ~seen.next != 0 ? mb_ctz64(~seen.next) : head_from(chunk, word + 1);
    return mb_max(longest_of(seen.bits), tail == 0 ? 0 : mb_min(tail + head, LANE_MAX));
}

// Free pieces at the head of the words from this one on, if they are so many.
static bool goes_on(const struct mb_chunk_shared *chunk, size_t word, size_t pieces) {
    for (; word < MB_CHUNK_WORDS; word++) {
        uint64_t taken = ~atomic_load(&chunk->free[word]);
        if (taken != 0) return mb_ctz64(taken) >= pieces;
        if (pieces <= MB_PIECE_WORD) return true;
        pieces -= MB_PIECE_WORD;
    }
    return false;
}

// The bit of this word at which a run of so many pieces begins; 64: there is none.
static unsigned begins_in(const struct mb_chunk_shared *chunk, size_t word, size_t pieces) {
    uint64_t bits = atomic_load(&chunk->free[word]), starts = pieces <= MB_PIECE_WORD ? mb_run_starts(bits, pieces) : 0;
    if (starts != 0) return mb_ctz64(starts);
    unsigned tail = tail_of(bits);
    return tail != 0 && goes_on(chunk, word + 1, pieces - tail) ? MB_PIECE_WORD - tail : MB_PIECE_WORD;
}

// A thread that gives pieces back between the search and the lowering of the hint may have raised it, and the raise
// would be lost, even for a run that is too short for this search. So the thread that lowers a hint looks again, and
// raises it if the words are not as it saw them, or if it has not seen all.
static unsigned begins_or_lower(struct mb_chunk_shared *chunk, size_t word, size_t pieces) {
    unsigned begin = begins_in(chunk, word, pieces);
    if (MB_LIKELY(begin < MB_PIECE_WORD)) return begin;
    struct pair seen = look_at(chunk, word);
    size_t longest = longest_from(chunk, word, seen), lowered = mb_min(longest, pieces - 1);
    lower_word(chunk, word, lowered);
    struct pair now = look_at(chunk, word);
    bool all_seen = ~seen.next != 0 || tail_of(seen.bits) == 0;
    if (MB_LIKELY(longest == lowered && all_seen && now.bits == seen.bits && now.next == seen.next)) return begin;
    begin = begins_in(chunk, word, pieces);
    if (begin < MB_PIECE_WORD || longest_from(chunk, word, look_at(chunk, word)) > lowered) raise_word(chunk, word);
    return begin;
}

static size_t find_in(struct mb_chunk_shared *chunk, size_t pieces) {
    uint64_t all = LANE_LOW * pieces;
    for (size_t lanes = 0; lanes < MB_CHUNK_WORDS / MB_HINT_LANES; lanes++) {
        for (uint64_t may = lanes_from(atomic_load(&chunk->longest[lanes]), all); may != 0; may &= may - 1) {
            size_t word = lanes * MB_HINT_LANES + mb_ctz64(may) / 8;
            unsigned begin = begins_or_lower(chunk, word, pieces);
            if (begin < MB_PIECE_WORD) return word * MB_PIECE_WORD + begin;
        }
    }
    return MB_NO_PIECE;
}

static size_t find_in_group(size_t group, size_t end, size_t pieces) {
    uint32_t seen;
    for (size_t chunk = group * MB_CHUNK_GROUP; chunk < end && chunk < (group + 1) * MB_CHUNK_GROUP; chunk++) {
        if (!may_have(&mb_piece_map_shared.hints[chunk], pieces, &seen)) continue;
        size_t first = find_in(mb_chunk_at(chunk), pieces);
        if (first != MB_NO_PIECE) return chunk * MB_CHUNK_PIECES + first;
        lower(&mb_piece_map_shared.hints[chunk], seen, pieces);
    }
    return MB_NO_PIECE;
}

// With an alignment a run that is longer by it, which fits wherever it begins.
size_t mb_piece_map_find(size_t pieces, size_t align) {
    size_t end = mb_chunks_end(), wanted = pieces + align - 1;
    uint32_t seen;
    if (wanted > RUN_MAX) return MB_NO_PIECE;
    for (size_t group = 0; group * MB_CHUNK_GROUP < end; group++) {
        if (!may_have(&mb_piece_map_shared.groups[group], wanted, &seen)) continue;
        size_t first = find_in_group(group, end, wanted);
        if (first != MB_NO_PIECE) return mb_align_up(first, align);
        lower(&mb_piece_map_shared.groups[group], seen, wanted);
    }
    return MB_NO_PIECE;
}
