// A slab: a span cut into equal blocks of one size class.
//
//   start                                                    start + units * 64 KiB
//   | block 0 | block 1 | ... carved blocks ... | never touched ... |rest|
//
// What: every carved block is live, or on the allocation list of the heap that owns the slab, or on the slab's local list
// (freed by the owner), or on its remote list (freed by others). Lists are chains of encoded links (core/harden/link_key.h).
// Who: the owner's functions take a struct mb_slab, which only the owner can get; the others take a struct mb_unit.
// Invariant: mb_slab_used = carved - blocks on the local list (+ 1 while the slab is CURRENT); the remote list counts as used.
#ifndef MB_CORE_LAYOUT_SLAB_H
#define MB_CORE_LAYOUT_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/harden/link_key.h"
#include "core/layout/size_class.h"
#include "core/layout/slab_remote.h"
#include "core/region/unit.h"

// A chain of free blocks; `head` is the slab's list end when it is empty.
struct mb_chain {
    uintptr_t head;
    uint32_t count;
};

// --- any thread -----------------------------------------------------------------------------------------------------

// The first unit of the slab that the unit belongs to (a first unit leads to itself).
MB_INLINE struct mb_unit *mb_slab_first(struct mb_unit *unit) {
    return mb_unit_kind(unit) == MB_UNIT_PART ? unit - MB_PEEK(unit->slab.back) : unit;
}

MB_INLINE uintptr_t mb_slab_start(const struct mb_unit *first) { return mb_unit_address(mb_unit_index(first)); }

// Whether p is the start of a block that has been carved. `first` is a slab's first unit with a live block in it.
bool mb_slab_is_block(const struct mb_unit *first, const void *p);

// Walks at most `limit` blocks of a chain that may change under the walk: how many it holds. Never leaves the slab.
uint32_t mb_slab_count_chain(const struct mb_unit *first, uintptr_t head, uint32_t limit);

// Whether the chain that starts at `head` holds p.
bool mb_slab_chain_holds(const struct mb_unit *first, uintptr_t head, uintptr_t p);

// --- the owner ------------------------------------------------------------------------------------------------------

// Makes a slab of a taken span; CURRENT, owned by `heap`, nothing carved.
struct mb_slab *mb_slab_setup(size_t first_unit, unsigned class_index, struct mb_heap *heap);

// Takes the descriptors of a slab down whose state is NONE already; the span may then be given to the arena.
void mb_slab_takedown(struct mb_unit *first);

// Takes the local list. The blocks count as used from now on.
struct mb_chain mb_slab_take_local(struct mb_slab *slab);

// Carves blocks up to the end of the page at the cursor, at least one; count 0 when all are carved.
struct mb_chain mb_slab_carve(struct mb_slab *slab);

// Pushes one block on the local list. True when the owner wanted to look again after this one (mb_slab_set_used).
bool mb_slab_push(struct mb_slab *slab, struct mb_free_block *block);

// Puts a chain (rest of an allocation list, or a collected remote list) on the local list. A broken link ends the process.
void mb_slab_return_chain(struct mb_slab *slab, uintptr_t head);

// Throws all lists away and makes the local list anew from those blocks that any of them holds, the allocation list at
// `head` (0: none) included; a list that makes no sense is dropped and its blocks stay used. For the child of a fork.
void mb_slab_rebuild(struct mb_slab *slab, uintptr_t head);

// Asserts the invariants that can be seen from the slab alone.
void mb_slab_check(const struct mb_slab *slab);

#endif
