// Cache colouring: arenas of the same kind start at different cache lines, so that their first blocks do not share
// cache sets.
//
//   base of the range   | colour * line bytes, never used | first block ...
//
// What: moves the start of one fresh arena when it is made, and again after a reset: no header, and nothing per
// operation. It acts on allocators that carve a range in order and free nothing (bump arenas, regions). A slab or a
// size-classed allocator colours its own slabs; for them this is MB_BAD_CONFIG.
// Who: the thread that owns the arena.
// Idea: slab colouring, Bonwick, "The Slab Allocator" (USENIX 1994).
#ifndef MB_CORE_HARDEN_COLOUR_H
#define MB_CORE_HARDEN_COLOUR_H

#include "core/base/allocator.h"
#include "core/harden/configs.h"

// Gives the fresh arena the next colour of the process: *offset becomes line_bytes to line_bytes * colours.
// MB_BAD_CONFIG when the arena does not carve in order, is not fresh, or all its colours would take more than half of
// it.
enum mb_error mb_colour_start(struct mb_allocator *arena, const struct mb_colour_config *config, size_t *offset);

// Moves the start again, right after a reset.
enum mb_error mb_colour_again(struct mb_allocator *arena, size_t offset);

#endif
