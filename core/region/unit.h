// The descriptor of a unit, and the way from an address to it.
//
//   address  ->  (address - base) >> 16  ->  table + 256 * unit        base and table are two separate random mappings
//
//   line 1  struct mb_slab          the owner's alone: cursor, counters, where the bits are     (a large block: its size)
//   line 2  struct mb_unit_shared   state, home: with line 4 the only memory of a slab that other threads write
//   line 3  free bits               one for each block that its owner has free; written by the owner alone
//   line 4  remote bits             one for each block that another thread has freed: atomic (core/layout/slab_remote.h)
//
// Slabs of more than 512 blocks have their bits in metadata.
//
// What: "may be handed over, may not be shared" as a layout. Any thread gets from an address to a struct mb_unit and
// may read what never changes while a block of it lives (kind, class, block size). struct mb_slab is the owner's view;
// it comes from mb_slab_if_owned (compares the owner) and from the transitions of core/layout/slab_remote.h (adoption),
// nowhere else.
// Invariant: a descriptor whose kind is not MB_UNIT_SLAB has bound 0, which admits no block, and MB_UNIT_NONE has no
// owner either: every wild, interior or stale pointer leaves the fast path of free by arithmetic alone.
#ifndef MB_CORE_REGION_UNIT_H
#define MB_CORE_REGION_UNIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "core/region/space.h"
#include "platform/atomic.h"
#include "platform/compiler.h"

struct mb_heap;

enum mb_unit_kind {
    MB_UNIT_NONE = 0,  // free, inside a large block, or never used
    MB_UNIT_SLAB,      // a slab
    MB_UNIT_LARGE,     // a large block begins in it: core/region/large_record.h
    MB_UNIT_HOLE,      // first unit of a foreign mapping inside the window
    MB_UNIT_HARD_SLAB, // from here on the hardened front's: core/hardened/unit_parts.h
    MB_UNIT_HARD_LARGE,
    MB_UNIT_HARD_WAITING,
    MB_UNIT_HARD_LEAD,
};

struct mb_slab {
    const void *owner;   // the owner's token, NULL: unowned. Written by who owns or adopts; compared by any thread (MB_PEEK). A
                         //   large block's: who made it
    uint64_t *free_bits; // bit i: block i is free and not on the remote bits; constant while the slab lives
    uint32_t used;       // two halves, see mb_slab_used; the owner's
    uint32_t bound;      // carved * e: what the low half of the multiplied offset of a carved block's start stays below
    uint32_t multiplier; // floor(2^32 / block_bytes) + 1; the high half of offset * multiplier is the block's index. A large
                         //   block's: 1
    union {
        uint32_t carved;      // blocks made so far; the rest was never touched
        uint32_t large_first; // MB_UNIT_LARGE: the piece that the block begins with
    };
    union {
        uint32_t capacity;     // blocks
        uint32_t guard_pieces; // MB_UNIT_LARGE: pieces up to a far guard page's end
    };
    uint32_t block_bytes;
    uint8_t kind; // enum mb_unit_kind; written last when a span is set up, first when it is taken down
    uint8_t class_index;
    uint8_t bit_words; // of free bits; as many words of remote bits follow them
    union {
        bool warm; // of a slab: its pages have been used before
        bool held; // of a large block's record in the table of long ones: the block is live or kept
    };
    uint32_t large_flags;  // enum mb_large_flags: core/region/large_record.h
    uint64_t large_bytes;  // MB_UNIT_LARGE: usable bytes
    uint32_t large_pieces; // pieces of the span, of all kinds but MB_UNIT_SLAB
    uint32_t more_words;   // length of `more`
};

// All blocks that fit into the slab have been handed out at least once.
#define MB_ALL_SERVED UINT64_MAX

enum { MB_INLINE_WORDS = 8, MB_INLINE_BLOCKS = 64 * MB_INLINE_WORDS };

struct mb_unit_shared {
    _Atomic uint64_t remote;        // state and generation: core/layout/slab_remote.h
    _Atomic uint64_t bits;          // words << 48 | address of the free bits, behind which the remote bits follow; constant
                                    //   while the slab lives, one word so that a late reader gets a pair that fits
    _Atomic(struct mb_heap *) home; // the heap that owns the slab or owned it last; a hint, written by it when it comes and before it goes
    uint64_t *more;                 // room for the bits of slabs with many blocks, kept with the unit; who sets slabs up
    _Atomic uint32_t stamp;         // state and free blocks at the last look for idle pages; any looker, relaxed
    _Atomic uint32_t purged_pages;  // bit i: page i was given back since the slab was CURRENT last; the busy one, the owner clears
    uint64_t served;                // blocks_served of the owner's heap when it carved last, or MB_ALL_SERVED; the owner; a report reads it
    uint64_t reused;                // not 0: blocks have begun here before the slab was set up; who sets slabs up; a report reads it
    _Atomic uint64_t
        sampled; // not 0: blocks of the heap profile lie here, no thread may own the slab; who sets slabs up, and the samples' commons
};

struct mb_unit {
    struct mb_slab slab;
    struct mb_unit_shared shared;
    union {
        uint64_t bits[2 * MB_INLINE_WORDS]; // free bits, then remote bits
        struct mb_slab upper;               // of a unit that is no slab: a large block that begins in the upper half, if its kind says so
    };
};

_Static_assert(sizeof(struct mb_slab) == 64, "the owner's part is one cache line");
_Static_assert(sizeof(struct mb_unit) == 256, "a descriptor is four cache lines");

MB_INLINE struct mb_unit *mb_unit_at(size_t index) { return &mb_space.table[index]; }

MB_INLINE size_t mb_unit_index(const struct mb_unit *unit) { return (size_t)(unit - mb_space.table); }

// The descriptor of an address inside the arena's front.
MB_INLINE struct mb_unit *mb_unit_of(const void *p) { return mb_unit_at(mb_unit_index_of(p)); }

// The slab's own first unit, from its owner's view.
MB_INLINE struct mb_unit *mb_slab_unit(const struct mb_slab *slab) { return (struct mb_unit *)(uintptr_t)slab; }

// The owner's view, for the owner; NULL for any other thread.
MB_INLINE struct mb_slab *mb_slab_if_owned(struct mb_unit *unit, const void *token) {
    return MB_LIKELY(MB_PEEK(unit->slab.owner) == token) ? &unit->slab : NULL;
}

// Blocks that are not free for the owner (remote bits count as used) while the slab is not CURRENT; then it only counts
// frees down to the owner's next heartbeat. A sum of two halves: the low one counts local frees down to the next one
// that the owner wants to look at (mb_slab_look_slow), the high one is the rest. The owner's; others get a near figure.
MB_INLINE uint32_t mb_slab_used(const struct mb_slab *slab) {
    uint32_t halves = mb_counter_read(&slab->used);
    uint32_t low = (halves & 0xffff) ^ 0x8000; // below zero when a look was not possible
    return (halves >> 16) + low - 0x8000;
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
