// The map of pieces as its two files see it: the bits (piece_map.c), and the hints where to look for a run
// (piece_find.c). Any thread.
#ifndef MB_CORE_REGION_PIECE_MAP_SHARED_H
#define MB_CORE_REGION_PIECE_MAP_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/region/piece_map.h"
#include "platform/compiler.h"

enum {
    MB_CHUNK_WORDS = 64,
    MB_CHUNK_PIECES = MB_CHUNK_WORDS * MB_PIECE_WORD,
    MB_CHUNKS = 16384,
    MB_CHUNK_GROUP = 64,  // chunks
    MB_HINT_LANES = 8,    // words whose hints lie in one
    MB_CHUNK_FLAGS = 256, // words of a flag for each chunk
};
_Static_assert(MB_CHUNK_FLAGS * 64 == MB_CHUNKS, "a flag for each chunk");

struct mb_chunk_shared {
    _Atomic uint64_t longest[MB_CHUNK_WORDS / MB_HINT_LANES]; // a hint for each word, a byte
    _Atomic uint64_t free[MB_CHUNK_WORDS];
    _Atomic uint64_t warm[MB_CHUNK_WORDS];
    _Atomic uint64_t aged[MB_CHUNK_WORDS];
};

extern MB_HIDDEN struct mb_piece_map_shared {
    struct mb_chunk_shared first;                        // no metadata needed to start
    _Atomic(struct mb_chunk_shared *) chunks[MB_CHUNKS]; // written once each (release)
    _Atomic uint32_t hints[MB_CHUNKS];                   // any thread
    _Atomic uint32_t groups[MB_CHUNKS / MB_CHUNK_GROUP]; // likewise, of 64 chunks each
    _Atomic uint64_t whole[MB_CHUNK_FLAGS];              // chunks where a unit has come free; set by who gives, cleared by who looks
    _Atomic uint64_t wholes[MB_CHUNK_FLAGS / 64];        // likewise, words of these flags
    _Atomic size_t end;                                  // chunks that there are; by who extends the map
} mb_piece_map_shared;

MB_INLINE struct mb_chunk_shared *mb_chunk_at(size_t chunk) {
    return atomic_load_explicit(&mb_piece_map_shared.chunks[chunk], memory_order_acquire);
}
MB_INLINE size_t mb_chunks_end(void) { return atomic_load_explicit(&mb_piece_map_shared.end, memory_order_acquire); }

// Words first to last of a chunk have got free pieces: its hints say that any run may be there.
void mb_piece_hints_raise(size_t chunk, size_t first, size_t last);
// Whether a chunk, or one of its group, may have a free piece, for a walk; and the call by which a walk that has found
// none since records that.
bool mb_piece_hints_may_have(size_t chunk, uint32_t *seen);
bool mb_piece_hints_group_may_have(size_t group);
void mb_piece_hints_found_none(size_t chunk, uint32_t seen);

#endif
