// Three bits for every piece of the arena's units (core/region/pieces.h), and where to look for a run of free ones.
//
//   free   the piece may be claimed                       set and cleared by compare-and-swap, any thread
//   warm   it may hold a page, and other than zeros       written only by the thread that holds the piece
//   aged   it was free and warm at the last tick          set by the tick, cleared by the thread that claims the piece
//
// What: each word of 64 pieces, each 64 words (a chunk, 16 MiB), and each 64 chunks have a hint: no run that begins
// there is longer. A search that finds less lowers the hint, a thread that gives pieces back raises it to the maximum,
// so a search reads few words without success. A wrong hint only costs time: the bits of a run decide whether it is
// free. A run does not extend from one chunk into the next. Chunks in which a unit has become completely free are
// flagged, so that these can be found.
// Who: any thread, without locks; the map is extended by one thread at a time, before the units exist.
#ifndef MB_CORE_REGION_PIECE_MAP_H
#define MB_CORE_REGION_PIECE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/compiler.h"

enum { MB_PIECE_WORD = 64 };
static const size_t MB_NO_PIECE = SIZE_MAX;

// Pieces that the map can have: 256 GiB of them.
size_t mb_piece_map_limit(void);
// Makes it reach so many pieces; false when metadata is refused.
bool mb_piece_map_extend(size_t pieces);

// The lowest run of free pieces that starts at a multiple of `align`, a power of two; MB_NO_PIECE: none is found.
size_t mb_piece_map_find(size_t pieces, size_t align);

// Claims exactly these pieces: all or none / those of a word's mask that are free, which it returns.
bool mb_piece_map_claim(size_t first, size_t pieces);
uint64_t mb_piece_map_claim_mask(size_t word, uint64_t mask);
void mb_piece_map_release(size_t first, size_t pieces);

size_t mb_piece_map_count_warm(size_t first, size_t pieces);
void mb_piece_map_set_warm(size_t first, size_t pieces);
void mb_piece_map_set_cold(size_t first, size_t pieces);

// Calls `visit` for each word that has a free piece, in so many chunks from this one on that may have some; returns the
// chunk to go on with, or MB_NO_PIECE at the end.
typedef void mb_piece_visit(void *context, size_t word);
size_t mb_piece_map_walk(size_t chunk, size_t chunks, mb_piece_visit *visit, void *context);
// The same for a chunk in which a whole unit has come free since the last such call; false: there is none.
bool mb_piece_map_visit_whole(mb_piece_visit *visit, void *context);

// In a forked child, alone: the same for all words, and every hint and flag says again that there may be something.
void mb_piece_map_recover(mb_piece_visit *visit, void *context);

// The pieces of those units of a word that are whole.
MB_INLINE uint64_t mb_piece_map_whole_units(uint64_t bits) {
    for (unsigned step = MB_UNIT_PIECES / 2; step > 0; step /= 2) bits &= bits >> step;
    return (bits & UINT64_C(0x0001000100010001)) * 0xffff;
}
_Static_assert(MB_UNIT_PIECES == 16, "a unit's pieces are a quarter of a word");

// A word's free pieces, those that are warm, those that are aged, too. Aged from now on are those that are free and
// warm.
uint64_t mb_piece_map_free(size_t word);
uint64_t mb_piece_map_warm(size_t word);
uint64_t mb_piece_map_old(size_t word);
void mb_piece_map_age(size_t word);

#endif
