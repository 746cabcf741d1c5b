// A member's slab: a span cut into equal blocks, whose free blocks are chained through themselves.
//
//   start                                                    start + units * 64 KiB
//   | block 0 | block 1 | ... carved blocks ... | never touched ... |rest|
//
// What: every carved block is live, or the spare block or on the allocation list of the front that owns the slab, or on
// the slab's local list (freed by the owner), or on its remote list (freed by others). Lists are chains of encoded
// links (core/harden/link_key.h).
// Who: the owner takes a struct mb_chain_slab; the others take a struct mb_chain_unit. `key` is that of the lists.
// Invariant: mb_chain_slab_used = carved - blocks on the local list (+ 1 while the slab is current); the remote list
// counts as used.
#ifndef MB_CORE_LAYOUT_CHAIN_SLAB_H
#define MB_CORE_LAYOUT_CHAIN_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/allocator.h"
#include "core/layout/block_list.h"
#include "core/layout/chain_remote.h"
#include "core/region/chain_unit.h"

// A chain of free blocks; `head` is the slab's list end when it is empty.
struct mb_chain {
    uintptr_t head;
    uint32_t count;
};

// --- any thread -----------------------------------------------------------------------------------------------------

// The first unit of the slab that the unit belongs to (a first unit leads to itself).
MB_INLINE struct mb_chain_unit *mb_chain_slab_first(struct mb_chain_unit *unit) {
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a space with bytes has a table
    return mb_chain_kind(unit) == MB_CHAIN_PART ? unit - MB_PEEK(unit->slab.back) : unit;
}

MB_INLINE uintptr_t mb_chain_slab_start(const struct mb_chain_unit *first) { return MB_PEEK(first->shared.start); }

// Whether p is the start of a block that has been carved. `first` is a slab's first unit with a live block in it.
bool mb_chain_slab_is_block(const struct mb_chain_unit *first, const void *p);

// --- the owner ------------------------------------------------------------------------------------------------------

// Walks at most `limit` blocks of a chain: how many it holds. Never leaves the slab.
uint32_t mb_chain_slab_count(const struct mb_link_key *key, const struct mb_chain_unit *first, uintptr_t head, uint32_t limit);

// Whether the chain that starts at `head` holds p.
bool mb_chain_slab_holds(const struct mb_link_key *key, const struct mb_chain_unit *first, uintptr_t head, uintptr_t p);

// The block size of a slab and its number of units: one for blocks of at most MB_SMALL_MAX bytes, else several.
struct mb_chain_shape {
    uint32_t block_bytes; // a multiple of MB_GRANULE
    uint8_t units, class_index;
};

// The shape for blocks of `bytes` (not 0); block_bytes 0 when they are too large (beyond 255 units).
struct mb_chain_shape mb_chain_shape_for(size_t bytes);

// Whether slots of `bytes` at multiples of *align can be had, and makes both ready: MB_BAD_SIZE, MB_BAD_ALIGN.
// *align becomes the alignment that each slot gets.
enum mb_error mb_chain_shape_judge(size_t bytes, size_t *align);

// Makes a slab of the taken span that begins with `unit` at the address `start`, a multiple of the unit's size:
// current, nothing carved. `owner` is only compared.
struct mb_chain_slab *mb_chain_slab_setup(const struct mb_link_key *key, struct mb_chain_unit *unit, uintptr_t start,
                                          struct mb_chain_shape shape, const void *owner);

// Takes the descriptors of a slab down of which no block is live; the span may then be given back.
void mb_chain_slab_takedown(struct mb_chain_unit *first);

MB_INLINE uint32_t mb_chain_slab_used(const struct mb_chain_slab *slab) { return slab->used_rest + slab->frees_to_look; }

// frees_to_look <= used.
MB_INLINE void mb_chain_slab_set_used(struct mb_chain_slab *slab, uint32_t used, uint32_t frees_to_look) {
    slab->used_rest = used - frees_to_look;
    slab->frees_to_look = frees_to_look;
}

// Takes the local list. The blocks count as used from now on.
struct mb_chain mb_chain_slab_take_local(const struct mb_link_key *key, struct mb_chain_slab *slab);

// Carves blocks up to the end of the page at the cursor, at least one; count 0 when all are carved.
struct mb_chain mb_chain_slab_carve(const struct mb_link_key *key, struct mb_chain_slab *slab);

// Takes the first block off an allocation list of this slab, whether the list goes on or ends (then *head is the
// sentinel). NULL: the link is broken, nothing has changed. *head is not the sentinel.
struct mb_free_block *mb_chain_slab_pop(const struct mb_link_key *key, const struct mb_chain_slab *slab, uintptr_t *head);

// Whether p is the start of a carved block, in one multiplication. False for slabs of several units: see
// mb_chain_slab_is_block.
MB_INLINE bool mb_chain_slab_admits(const struct mb_chain_slab *slab, const void *p) {
    return (uint32_t)((uintptr_t)p & MB_UNIT_MASK) * slab->multiplier < MB_PEEK(slab->bound);
}

// Pushes one block, whose code is known, on the local list. True if the owner waited for as many blocks as are free
// now.
MB_INLINE bool mb_chain_slab_put(struct mb_chain_slab *slab, struct mb_free_block *block, uint64_t own_code) {
    mb_list_push(&slab->local, block, own_code);
    return --slab->frees_to_look == 0;
}

bool mb_chain_slab_push(const struct mb_link_key *key, struct mb_chain_slab *slab, struct mb_free_block *block);

// Puts a chain (rest of an allocation list, or a collected remote list) on the local list. False at a broken link: what
// lies behind it stays used.
bool mb_chain_slab_return(const struct mb_link_key *key, struct mb_chain_slab *slab, uintptr_t head);

// Makes the local list anew from those blocks that it or the list at `head` holds; a list that makes no sense is
// dropped from there on, and its blocks stay used. The remote list stays as it is.
void mb_chain_slab_rebuild(const struct mb_link_key *key, struct mb_chain_slab *slab, uintptr_t head);

// The same from the tags: whatever is tagged is free. No other thread may free into the slab.
void mb_chain_slab_rebuild_by_tags(const struct mb_link_key *key, struct mb_chain_slab *slab);

#endif
