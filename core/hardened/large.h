// Large blocks of the hardened front: spans of their own, between pages that cannot be touched.
//
//   span                          p                      p + bytes
//   | (units for the alignment) G | ==== the user's ==== | slack | G | room to grow, not touched ... |
//
// What: the slack up to the page's end holds a canary and zeros (slack.h). A block of 0 bytes has no page at all. A
// freed one waits as a whole (waiting.h). Fresh pages are zero. Where memory cannot be had inside the arena's window,
// there is no such block: see hardened.c.
// Who: any thread, on its own blocks.
#ifndef MB_CORE_HARDENED_LARGE_H
#define MB_CORE_HARDENED_LARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/hardened/slab.h"

// NULL: no memory in the window. All bytes are zero. align is a power of two; bytes <= PTRDIFF_MAX.
void *mb_hard_large_alloc(size_t align, size_t bytes);

// As their likes of small.h; the unit is that of p, of kind MB_UNIT_HARD_LARGE.
enum mb_hard_fault mb_hard_large_free(struct mb_unit *unit, void *p);
enum mb_hard_fault mb_hard_large_length(struct mb_unit *unit, const void *p, size_t *bytes);

// Makes a live block longer or shorter where it is. False: it has no room for that.
bool mb_hard_large_resize(struct mb_unit *unit, char *p, size_t bytes);

// A longer block with the same contents somewhere else; the old one is live still. NULL: no memory.
void *mb_hard_large_move(struct mb_unit *unit, char *p, size_t bytes);

// What is wrong with an address in a unit that is neither a slab nor the start of a large block.
enum mb_hard_fault mb_hard_large_fault(const void *p);

// The first unit of what covers the unit: a slab, a large block, a span that waits. NULL: nothing.
struct mb_unit *mb_hard_large_covering(struct mb_unit *unit);

struct mb_hard_large_totals {
    size_t blocks, bytes;
    uint64_t served;
};
void mb_hard_large_count(struct mb_hard_large_totals *out);

// As mb_hard_small_sweep and mb_hard_small_visit, while no other thread frees or resizes a large block.
size_t mb_hard_large_sweep(void (*found)(enum mb_hard_fault fault, const void *p));
void mb_hard_large_visit(void (*visit)(struct mb_trace *made, size_t bytes));

void mb_hard_large_init(uint64_t seed);

#endif
