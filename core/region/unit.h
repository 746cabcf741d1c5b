// The descriptor of a unit, and the way from an address to it.
//
//   address  ->  (address - base) >> 16  ->  table + 128 * unit        base and table are two separate random mappings
//
//   line 1  struct mb_slab          the owner's alone: free list, cursor, counters     (a large block: its size)
//   line 2  struct mb_unit_shared   the only memory of a slab that other threads write
//
// What: "may be handed over, may not be shared" as a layout. Any thread gets from an address to a struct mb_unit and may
// read what never changes while a block of it lives (kind, class, block size). struct mb_slab is the owner's view; it comes
// from mb_slab_if_owned (compares the owner) and from the transitions of core/layout/slab_remote.h (adoption), nowhere else.
// Invariant: a descriptor whose kind is MB_UNIT_NONE has no owner and bound 0, so its owner matches no heap and its bound admits no
// block: every wild, interior or stale pointer leaves the fast path of free by arithmetic alone.
#ifndef MB_CORE_REGION_UNIT_H
#define MB_CORE_REGION_UNIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "platform/atomic.h"
#include "platform/compiler.h"

struct mb_heap;

enum mb_unit_kind {
    MB_UNIT_NONE = 0, // free, inside a large block, or never used
    MB_UNIT_SLAB,     // first unit of a slab
    MB_UNIT_PART,     // later unit of a slab; `back` leads to the first
    MB_UNIT_LARGE,    // first unit of a large block
    MB_UNIT_HOLE,     // first unit of a foreign mapping inside the window
};

enum mb_large_flags {
    MB_LARGE_MOVED = 1,   // pages were moved in or out: map afresh when freed, so that VMAs merge again
    MB_LARGE_GUARDED = 2, // the page behind the block is inaccessible
    MB_SLAB_LISTED = 4,   // a member's slab on its list of slabs with free blocks
    MB_SLAB_NOTICED = 8,  // a member's slab that is known to have a remote list, and is on no list of news
};

struct mb_unit_pair {
    uint32_t next, previous;
};

struct mb_slab {
    struct mb_heap *owner;   // NULL: unowned. Written by who owns or adopts; compared by any thread (MB_PEEK)
    uint64_t local;          // E(first block of the local list)
    uint32_t used;           // two halves, see mb_slab_used; owner writes, others read (mb_counter_*)
    uint32_t bound;          // carved * e: what the multiplied offset of a carved block's start stays below; 0 unless small
    uint32_t multiplier;     // floor(2^32 / block_bytes) + 1
    uint32_t carved;         // blocks handed to lists so far; the rest was never touched
    uint32_t capacity;       // blocks
    uint32_t block_bytes;
    uint8_t kind;            // enum mb_unit_kind; written last when a span is set up, first when it is taken down
    uint8_t class_index;
    uint8_t units;           // of the slab
    uint8_t back;            // MB_UNIT_PART: units back to the first
    uint32_t large_flags;    // set of enum mb_large_flags
    union {
        uint64_t large_bytes;  // MB_UNIT_LARGE: usable bytes
        uintptr_t orphan_list; // a slab left behind by a thread of a forked parent: rest of the allocation list, or 0
        struct mb_unit_pair neighbours; // a slab on a member's list of slabs with free blocks: core/layout/slab_front.h
    };
    uint32_t large_units;    // MB_UNIT_LARGE and MB_UNIT_HOLE: units of the span
    uint32_t spare;
};

struct mb_unit_shared {
    _Atomic uint64_t remote;              // state, generation, count and head of the remote list: core/layout/slab_remote.h
    _Atomic(struct mb_heap *) home;       // the heap that owned the slab last; a hint, written by it before it lets go
    _Atomic uintptr_t suspect;            // a block that looked free when another thread freed it, set aside for the owner
    uintptr_t start;                      // of the unit, once it was the first of a slab; the same value ever after (MB_PEEK)
    _Atomic uint32_t next_news;           // a remote slab's list of slabs with remote frees: core/layout/remote_slab.h
    uint32_t spare_half;
    uint64_t spare[3];
};

struct mb_unit {
    struct mb_slab slab;
    struct mb_unit_shared shared;
};

_Static_assert(sizeof(struct mb_slab) == 64, "the owner's part is one cache line");
_Static_assert(sizeof(struct mb_unit) == 128, "a descriptor is two cache lines");

// What the hot path needs of the address space, on one cache line. Base and table are constant after the start; bytes only
// rises, written under the arena's lock after the descriptors behind it are readable.
struct mb_space {
    uintptr_t base;
    size_t bytes;
    struct mb_unit *table;
} MB_CACHE_ALIGNED;

extern MB_HIDDEN struct mb_space mb_space; // hidden: else each access loads the address first

MB_INLINE struct mb_unit *mb_unit_at(size_t index) { return &mb_space.table[index]; }

MB_INLINE size_t mb_unit_index(const struct mb_unit *unit) { return (size_t)(unit - mb_space.table); }

MB_INLINE uintptr_t mb_unit_address(size_t index) { return mb_space.base + (index << MB_UNIT_SHIFT); }

// True for addresses of the arena's front; NULL, foreign and wild pointers are not.
MB_INLINE bool mb_space_contains(const void *p) { return (uintptr_t)p - mb_space.base < MB_PEEK(mb_space.bytes); }

// The descriptor of an address inside the arena's front.
MB_INLINE struct mb_unit *mb_unit_of(const void *p) {
    return &mb_space.table[((uintptr_t)p - mb_space.base) >> MB_UNIT_SHIFT];
}

// The same in the space of a member of the region family: NULL for what lies outside.
MB_INLINE struct mb_unit *mb_space_unit_of(const struct mb_space *space, const void *p) {
    uintptr_t offset = (uintptr_t)p - space->base;
    return MB_LIKELY(offset < MB_PEEK(space->bytes)) ? &space->table[offset >> MB_UNIT_SHIFT] : NULL;
}

// The slab's own first unit, from its owner's view.
MB_INLINE struct mb_unit *mb_slab_unit(const struct mb_slab *slab) { return (struct mb_unit *)(uintptr_t)slab; }

// The owner's view, for the owner: NULL for every other heap.
MB_INLINE struct mb_slab *mb_slab_if_owned(struct mb_unit *unit, const struct mb_heap *heap) {
    return MB_LIKELY(MB_PEEK(unit->slab.owner) == heap) ? &unit->slab : NULL;
}

// Blocks that are not on the local list, +1 while the slab is current. Kept as a sum of two halves: the low one counts local
// frees down to the next one that the owner wants to look at (mb_slab_look_again), the high one is the rest. Any thread.
MB_INLINE uint32_t mb_slab_used(const struct mb_slab *slab) {
    uint32_t halves = mb_counter_read(&slab->used);
    return (halves & 0xffff) + (halves >> 16);
}

// Owner thread; frees_to_look <= used.
MB_INLINE void mb_slab_set_used(struct mb_slab *slab, uint32_t used, uint32_t frees_to_look) {
    mb_counter_write(&slab->used, (used - frees_to_look) << 16 | frees_to_look);
}

MB_INLINE enum mb_unit_kind mb_unit_kind(const struct mb_unit *unit) {
    return (enum mb_unit_kind)__atomic_load_n(&unit->slab.kind, __ATOMIC_ACQUIRE);
}

MB_INLINE void mb_unit_set_kind(struct mb_unit *unit, enum mb_unit_kind kind) {
    __atomic_store_n(&unit->slab.kind, (uint8_t)kind, __ATOMIC_RELEASE);
}

#endif
