// The descriptor of a unit in a range that a member of the region family cuts into slabs, and the way from an address
// to it.
//
//   address  ->  (address - base) >> 16  ->  table + 128 * unit        the table lies in a guarded mapping of its own
//
//   line 1  struct mb_chain_slab          the owner's alone: free list, cursor, counters     (a large block: its size)
//   line 2  struct mb_chain_unit_shared   the only memory of a slab that other threads write
//
// What: malloc's descriptors (core/region/unit.h) have a bit for each block; these slabs keep their free blocks on
// lists through the blocks, so a descriptor has one size whatever the blocks are, and a slab any number of units.
// core/layout/README.md says why both exist.
// Who: the owner; any thread may read what never changes while a block of the slab lives (kind, class, block size,
// start).
// Invariant: a descriptor whose kind is MB_CHAIN_NONE has bound 0, which admits no block.
#ifndef MB_CORE_REGION_CHAIN_UNIT_H
#define MB_CORE_REGION_CHAIN_UNIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/atomic.h"
#include "platform/compiler.h"

enum mb_chain_kind {
    MB_CHAIN_NONE = 0, // free, inside a large block, or never used
    MB_CHAIN_SLAB,     // first unit of a slab
    MB_CHAIN_PART,     // later unit of a slab; `back` leads to the first
    MB_CHAIN_LARGE,    // first unit of a large block
};

enum mb_chain_flags {
    MB_CHAIN_LISTED = 1,  // on its owner's list of slabs with free blocks
    MB_CHAIN_NOTICED = 2, // known to have a remote list, and on no list of news
};

struct mb_chain_neighbours {
    uint32_t next, previous; // unit numbers
};

struct mb_chain_slab {
    uint64_t local;         // E(first block of the local list)
    const void *owner;      // the front whose slab it is: core/layout/chain_front.h
    uint32_t frees_to_look; // local frees until the owner wants to look at the slab
    uint32_t used_rest;     // with frees_to_look: carved blocks that are not on the local list (+ 1 while the slab is current)
    uint32_t bound;         // carved * e: what the multiplied offset of a carved block's start stays below; 0 with several units
    uint32_t multiplier;    // floor(2^32 / block_bytes) + 1
    uint32_t carved;        // blocks handed to lists so far; the rest was never touched
    uint32_t capacity;      // blocks
    uint32_t block_bytes;
    uint8_t kind;           // enum mb_chain_kind; written last when a span is set up, first when it is taken down
    uint8_t class_index;
    uint8_t units;          // of the slab
    uint8_t back;           // MB_CHAIN_PART: units back to the first
    struct mb_chain_neighbours neighbours; // while MB_CHAIN_LISTED
    uint32_t flags;         // set of enum mb_chain_flags
    uint32_t large_units;   // MB_CHAIN_LARGE: units of the block
};

struct mb_chain_unit_shared {
    _Atomic uint32_t remote;    // count and head of the remote list: core/layout/chain_remote.h
    _Atomic uint32_t next_news; // an owner's list of slabs with remote frees: core/layout/remote_slab.h
    uintptr_t start;            // of the unit, once it was the first of a slab; the same value ever after (MB_PEEK)
    uint64_t spare[6];
};

struct mb_chain_unit {
    struct mb_chain_slab slab;
    struct mb_chain_unit_shared shared;
};

_Static_assert(sizeof(struct mb_chain_slab) == 64, "the owner's part is one cache line");
_Static_assert(sizeof(struct mb_chain_unit) == 128, "a descriptor is two cache lines");

// What the hot paths need of a range, on one cache line. All is constant while blocks are, but `bytes`, which only
// rises: written by the owner after the descriptors behind it are readable.
struct mb_chain_space {
    uintptr_t base;
    size_t bytes;
    struct mb_chain_unit *table;
    uint64_t spare[5];
};

// NULL for what lies outside.
MB_INLINE struct mb_chain_unit *mb_chain_unit_of(const struct mb_chain_space *space, const void *p) {
    uintptr_t offset = (uintptr_t)p - space->base;
    return MB_LIKELY(offset < MB_PEEK(space->bytes)) ? &space->table[offset >> MB_UNIT_SHIFT] : NULL;
}

// A slab's first unit, from its owner's view.
MB_INLINE struct mb_chain_unit *mb_chain_slab_unit(const struct mb_chain_slab *slab) {
    return (struct mb_chain_unit *)(uintptr_t)slab;
}

MB_INLINE enum mb_chain_kind mb_chain_kind(const struct mb_chain_unit *unit) {
    return (enum mb_chain_kind)__atomic_load_n(&unit->slab.kind, __ATOMIC_ACQUIRE);
}

MB_INLINE void mb_chain_set_kind(struct mb_chain_unit *unit, enum mb_chain_kind kind) {
    __atomic_store_n(&unit->slab.kind, (uint8_t)kind, __ATOMIC_RELEASE);
}

#endif
