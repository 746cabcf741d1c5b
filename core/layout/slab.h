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

#include "core/layout/block_list.h"
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

MB_INLINE uintptr_t mb_slab_start(const struct mb_unit *first) { return MB_PEEK(first->shared.start); }

// Whether p is the start of a block that has been carved. `first` is a slab's first unit with a live block in it.
bool mb_slab_is_block(const struct mb_unit *first, const void *p);

// Walks at most `limit` blocks of a chain that may change under the walk: how many it holds. Never leaves the slab.
uint32_t mb_slab_count_chain(const struct mb_unit *first, uintptr_t head, uint32_t limit);

// Whether the chain that starts at `head` holds p.
bool mb_slab_chain_holds(const struct mb_unit *first, uintptr_t head, uintptr_t p);

// --- the owner ------------------------------------------------------------------------------------------------------

// What a slab is cut into. One unit and blocks of at most MB_SMALL_MAX bytes, or several units.
struct mb_slab_shape {
    uint32_t block_bytes; // a multiple of MB_GRANULE
    uint8_t units, class_index;
};

// Makes a slab of the taken span that begins with `unit` at the address `start`, a multiple of the unit's size; CURRENT,
// owned by `heap` (only compared: a member of the region family passes itself), nothing carved.
struct mb_slab *mb_slab_setup(struct mb_unit *unit, uintptr_t start, struct mb_slab_shape shape, struct mb_heap *heap);

MB_INLINE struct mb_slab_shape mb_slab_shape_of(unsigned class_index) {
    return (struct mb_slab_shape){mb_class_bytes(class_index), (uint8_t)mb_class_units(class_index), (uint8_t)class_index};
}

// Takes the descriptors of a slab down whose state is NONE already; the span may then be given to the arena.
void mb_slab_takedown(struct mb_unit *first);

// Takes the local list. The blocks count as used from now on.
struct mb_chain mb_slab_take_local(struct mb_slab *slab);

// Carves blocks up to the end of the page at the cursor, at least one; count 0 when all are carved.
struct mb_chain mb_slab_carve(struct mb_slab *slab);

// Takes the first block off an allocation list of this slab, whether the list goes on or ends (then *head is the sentinel).
// NULL: the link is broken, nothing has changed. *head is not the sentinel.
MB_INLINE struct mb_free_block *mb_slab_pop(const struct mb_slab *slab, uintptr_t *head) {
    struct mb_free_block *block = (struct mb_free_block *)*head;
    uintptr_t start = mb_slab_start(mb_slab_unit(slab)), next = mb_link_next(block);
    if (next == mb_list_end(start)) next = (uintptr_t)&mb_sentinel;
    else if (next - start >= (uintptr_t)slab->units * MB_UNIT_BYTES || next % MB_GRANULE != 0) return NULL;
    MB_POKE(*head, next);
    mb_tag_clear(block);
    return block;
}

// Pushes one block on the local list. True when the owner wanted to look again after this one (mb_slab_set_used).
bool mb_slab_push(struct mb_slab *slab, struct mb_free_block *block);

// Whether p is the start of a carved block, in one multiplication. False for slabs of several units: see mb_slab_is_block.
MB_INLINE bool mb_slab_admits(const struct mb_slab *slab, const void *p) {
    return (uint32_t)((uintptr_t)p & MB_UNIT_MASK) * slab->multiplier < MB_PEEK(slab->bound);
}

// mb_slab_push for a block whose code is known.
MB_INLINE bool mb_slab_put(struct mb_slab *slab, struct mb_free_block *block, uint64_t own_code) {
    mb_list_push(&slab->local, block, own_code);
    return mb_owner_decrement(&slab->used);
}

// Puts a chain (rest of an allocation list, or a collected remote list) on the local list. False at a broken link: what lies
// behind it stays used.
bool mb_slab_return_chain(struct mb_slab *slab, uintptr_t head);

// Throws all lists away and makes the local list anew from those blocks that any of them holds, the allocation list at
// `head` (0: none) included; a list that makes no sense is dropped and its blocks stay used. For the child of a fork.
void mb_slab_rebuild(struct mb_slab *slab, uintptr_t head);

// The same without the remote list, which stays as it is.
void mb_slab_rebuild_own(struct mb_slab *slab, uintptr_t head);

// The same from the tags: whatever is tagged is free. No other thread may free into the slab.
void mb_slab_rebuild_by_tags(struct mb_slab *slab);

// Asserts the invariants that can be seen from the slab alone.
void mb_slab_check(const struct mb_slab *slab);

#endif
