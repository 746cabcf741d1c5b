// What the hardened front keeps in a unit's descriptor: in the lines that hold a slab's bits in the default front.
//
//   kind MB_UNIT_HARD_SLAB      struct mb_hard_slab     one unit of equal slots, the last page a guard
//   kind MB_UNIT_HARD_LARGE     struct mb_hard_large    the unit in which a large block starts
//   kind MB_UNIT_HARD_WAITING   struct mb_hard_waiting  first unit of a span in quarantine: nothing of it can be touched
//   kind MB_UNIT_HARD_LEAD      (nothing)               units in front of a large block, which its alignment needs
//
// slab.large_pieces says for each of them how much follows, as for all kinds (core/region/recover.c). The bound stays 0
// and the owner NULL, so the fast paths of the default front leave every such unit alone.
// Who: what is in here is guarded by the lock of the slab's class; a large block is its thread's.
#ifndef MB_CORE_HARDENED_UNIT_PARTS_H
#define MB_CORE_HARDENED_UNIT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/hardened/past.h"
#include "core/region/unit.h"
#include "platform/os.h"

struct mb_hard_slab {
    uint64_t salt;       // secret: what its canaries are made of
    char *start;         // slot 0
    uint64_t *live;      // bit i: slot i holds a live block
    uint64_t *used;      // bit i: it has held one
    uint64_t *ready;     // bit i: it is free, opened, has waited long enough, and is not among the class's drawn ones
    uint16_t *notes;     // of a live block: the bytes that were asked for; of a free slot that was used: when it was freed (small.c)
    uint32_t slot_bytes; // of the class
    uint32_t multiplier; // floor(2^32 / slot_bytes) + 1
    uint32_t slots;      // that fit
    uint32_t opened;     // those that may be handed out so far: the pages behind them are not touched
    uint32_t words;      // of the bits of these
    uint32_t open_at;    // with so many live blocks the next page is opened
    uint32_t live_count;
    uint32_t scanned_at;     // at which count of the class the free slots were last looked through
    uint32_t next, previous; // on the class's list of slabs with free slots: unit number + 1, 0 ends it
    uint8_t class_index;
    bool listed;
    uint8_t wall;               // enum mb_wall of the last page
    bool plain;                 // its slots can always be touched, are shorter than two pages, and have no past
    uint16_t class_number;      // of class and shard: small_class.h
    struct mb_hard_past *pasts; // one for each slot; NULL: not in profile=debug
    uint64_t shut;              // bit i: slot i, of two pages or more, is free and the pages that it has alone cannot be touched
    uint64_t ready_words;       // bit i: ready[i] is not 0
    uint64_t spare[1];
};

struct mb_hard_large {
    uint64_t salt;
    uint64_t bytes;      // asked for
    uint64_t room_bytes; // pages from the start of the block that it may have in place
    uint64_t open_bytes; //   and those that can be touched now
    uint32_t first;      // unit of the span
    uint32_t units;      // of the span
    uint32_t accesses;   // walls by access in it
    bool moved;          // pages were moved in or out
    uint64_t served;     // number of the block
    struct mb_hard_past past;
    uint64_t lead_bytes; // from the start of its pages to the block: guard=all
    uint64_t spare[4];
};

struct mb_hard_waiting {
    uintptr_t start; // of the block that was there, 0: a slab
    char *mark;      // a byte that was not zero before; NULL: none
    uint32_t accesses;
    uint8_t wall; // enum mb_wall of all of it
    bool moved;
    struct mb_hard_past past; // of the block that was there
    uint64_t spare[9];
};

_Static_assert(sizeof(struct mb_hard_slab) == sizeof(((struct mb_unit *)0)->bits), "in place of the bits");
_Static_assert(sizeof(struct mb_hard_large) == sizeof(((struct mb_unit *)0)->bits), "in place of the bits");
_Static_assert(sizeof(struct mb_hard_waiting) == sizeof(((struct mb_unit *)0)->bits), "in place of the bits");

MB_INLINE struct mb_hard_slab *mb_hard_slab_of(struct mb_unit *unit) { return (struct mb_hard_slab *)(void *)unit->bits; }
MB_INLINE struct mb_hard_large *mb_hard_large_of(struct mb_unit *unit) { return (struct mb_hard_large *)(void *)unit->bits; }
MB_INLINE struct mb_hard_waiting *mb_hard_waiting_of(struct mb_unit *unit) { return (struct mb_hard_waiting *)(void *)unit->bits; }

MB_INLINE char *mb_hard_large_start(const struct mb_hard_large *large) {
    return (char *)mb_unit_address(large->first + large->units) - mb_os_page_size() - large->room_bytes + large->lead_bytes;
}

MB_INLINE struct mb_unit *mb_hard_slab_unit(struct mb_hard_slab *slab) {
    return (struct mb_unit *)(void *)((char *)(void *)slab - offsetof(struct mb_unit, bits));
}

MB_INLINE void mb_hard_set_units(struct mb_unit *unit, size_t units) {
    MB_POKE(unit->slab.large_pieces, (uint32_t)(units * MB_UNIT_PIECES));
}
MB_INLINE size_t mb_hard_units(const struct mb_unit *unit) { return MB_PEEK(unit->slab.large_pieces) / MB_UNIT_PIECES; }

#endif
