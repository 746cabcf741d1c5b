// Three bits for every piece of the arena's units (core/region/pieces.h), and where to look for a run of free ones.
//
//   free   the piece may be claimed                       set and cleared by compare-and-swap, any thread
//   warm   it may hold a page, and other than zeros       written only by who holds the piece
//   aged   it was free and warm at the last tick          written by who ticks, cleared by who claims the piece
//
// What: each 16 MiB (a chunk), and each 64 of these, has a hint: no run is longer there. A search that finds less lowers it, whoever gives
// raises it to the most, so a search looks at the words of few chunks in vain. Hints only cost: whether a run is free its bits say. A run
// does not reach from one chunk into the next.
// Who: any thread, without locks; the map is extended by one thread at a time, before the units exist.
#ifndef MB_CORE_REGION_PIECE_MAP_H
#define MB_CORE_REGION_PIECE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

// The next word from `word` on, below the map's end, that has a free piece; MB_NO_PIECE: none. A walk by chunks, then by words.
size_t mb_piece_map_next_word(size_t word);
// A word's free pieces, those that are warm, those that are aged, too. Aged from now on are those that are free and warm.
uint64_t mb_piece_map_free(size_t word);
uint64_t mb_piece_map_warm(size_t word);
uint64_t mb_piece_map_old(size_t word);
void mb_piece_map_age(size_t word);

#endif
