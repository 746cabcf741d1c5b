// A slab: a span cut into equal blocks of one size class.
//
//   start                                                       start + 64 KiB
//   | block 0 | block 1 | ... carved blocks ... | never touched ... |rest|
//   free bits      1 0 0 1 ...                        the owner's: block is free
//   remote bits    0 1 0 0 ...                        other threads': freed, not collected yet
//
// What: every carved block is live or has one of its two bits set. The bits lie with the descriptors, so nothing that a
// program writes into a freed block can mislead the allocator, and freeing does not touch the block. A heap allocates
// from one word of free bits at a time (core/heap/self.h).
// Who: the owner's functions take a struct mb_slab, which only the owner can get; the others take a struct mb_unit.
// Invariant: mb_slab_used = carved - free bits while the slab is not CURRENT.
#ifndef MB_CORE_LAYOUT_SLAB_H
#define MB_CORE_LAYOUT_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/layout/size_class.h"
#include "core/layout/slab_remote.h"
#include "core/region/unit.h"
#include "platform/bits.h"

// --- any thread -----------------------------------------------------------------------------------------------------

MB_INLINE uintptr_t mb_slab_start(const struct mb_unit *unit) { return mb_unit_address(mb_unit_index(unit)); }

MB_INLINE void *mb_slab_block(const struct mb_unit *unit, uint32_t index) {
    return (void *)(mb_slab_start(unit) + (uintptr_t)index * MB_PEEK(unit->slab.block_bytes));
}

// offset * multiplier: the low half tells whether there is the start of a carved block, the high half which one.
MB_INLINE struct mb_halves mb_slab_product(const struct mb_slab *slab, uint32_t offset) {
    return mb_multiply(offset, &slab->multiplier);
}

// Whether p is the start of a block that has been carved. The slab has a live block.
MB_INLINE bool mb_slab_is_block(const struct mb_unit *unit, const void *p) {
    return mb_slab_product(&unit->slab, mb_unit_offset(p)).low < MB_PEEK(unit->slab.bound);
}

MB_INLINE uint32_t mb_slab_index(const struct mb_unit *unit, const void *p) {
    return (uint32_t)mb_slab_product(&unit->slab, mb_unit_offset(p)).high;
}

// Whether one of the block's bits is set: exact for a block that no other thread frees meanwhile.
bool mb_slab_is_free(const struct mb_unit *unit, uint32_t index);

// Whether any block has its remote bit set.
bool mb_slab_has_remote(const struct mb_unit *unit);

// Blocks that have a bit set.
uint32_t mb_slab_count_free(const struct mb_unit *unit);

// The bits that the first `carved` blocks have in a word.
MB_INLINE uint64_t mb_slab_full_word(uint32_t carved, uint32_t word) {
    uint32_t blocks = carved - word * 64;
    return blocks >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << blocks) - 1;
}

// Whether all carved blocks of the slab are free. What is true stays true while the state does. For a unit that is no
// slab (any more) the answer means nothing, but it is given.
bool mb_slab_all_free(const struct mb_unit *unit);

// Bit i: no live block reaches into page i of the unit, whose pages are `page_bytes` long.
uint32_t mb_slab_free_pages(const struct mb_unit *unit, size_t page_bytes);

// A block that was freed both by its owner and by another thread; NULL if there is none. The caller has the slab to
// itself.
void *mb_slab_freed_twice(const struct mb_unit *unit);

// --- the owner ------------------------------------------------------------------------------------------------------

// Makes a slab of a taken unit; CURRENT, owned by the thread of that token, nothing carved, as if its pages were fresh
// (slab.warm). NULL: no room for its bits.
struct mb_slab *mb_slab_setup(size_t unit_index, unsigned class_index, const void *token);

// Takes the descriptor of a slab down whose state is NONE already; the span may then be given to the arena.
void mb_slab_takedown(struct mb_unit *unit);

// Whether blocks have begun in the unit before it became what it is now. A slab leaves the size of its blocks behind, a
// large block its length.
MB_INLINE bool mb_unit_has_traces(const struct mb_unit *unit) {
    return MB_PEEK(unit->slab.block_bytes) != 0 || MB_PEEK(unit->slab.large_bytes) != 0 || MB_PEEK(unit->upper.large_bytes) != 0;
}

// Whether the block has been handed out at least once, in a slab (or what was one) of which so many are carved: carving
// waits until all blocks are in use, so only those of the last carving may not have been. Any thread.
bool mb_slab_surely_used(const struct mb_unit *unit, uint32_t carved, uint32_t index);

// Carves blocks up to the end of the page at the cursor, at least one; on warm memory up to the end of a word. False
// when all are carved.
bool mb_slab_carve(struct mb_slab *slab);

// Makes the remote bits free bits: of how many blocks. A block that is free already ends the process.
uint32_t mb_slab_collect(struct mb_slab *slab);

// How many have their remote bit set. Any thread.
uint32_t mb_slab_count_remote(const struct mb_unit *unit);

// Words of bits that carved blocks have.
MB_INLINE uint32_t mb_slab_words(const struct mb_slab *slab) { return (slab->carved + 63) / 64; }

// The remote bits of carved blocks, and whether any is set: for the owner, and for a thread that has just been it.
struct mb_slab_remote {
    _Atomic uint64_t *first, *end;
};
MB_INLINE struct mb_slab_remote mb_slab_remote(const struct mb_slab *slab) {
    _Atomic uint64_t *first = (_Atomic uint64_t *)(slab->free_bits + slab->bit_words);
    return (struct mb_slab_remote){first, first + mb_slab_words(slab)};
}
MB_INLINE bool mb_remote_any(struct mb_slab_remote remote) {
    for (_Atomic uint64_t *word = remote.first; word < remote.end; word++) {
        if (MB_UNLIKELY(atomic_load_explicit(word, memory_order_seq_cst) != 0)) return true;
    }
    return false;
}

// Writes the word back with a block's bit set. True when the owner wanted to look again after this one
// (mb_slab_set_used). The bit is written last: from then on another thread may find all blocks free and take the slab.
MB_INLINE bool mb_slab_put(struct mb_slab *slab, uint64_t *word, uint64_t bits) {
    bool look = mb_owner_decrement(&slab->used);
    __atomic_store_n(word, bits, __ATOMIC_RELEASE);
    return look;
}

// After a fork, for a slab whose owner stopped at any instruction: counters and bits agree again. Whoever adopts it.
void mb_slab_rebuild(struct mb_slab *slab);

// Counts `used` anew from the bits, for a slab that stops being CURRENT. A CURRENT one counts frees down to a heartbeat
// instead.
void mb_slab_count_used(struct mb_slab *slab);
enum { MB_SLAB_HEARTBEAT = 0x7fff };
MB_INLINE void mb_slab_set_heartbeat(struct mb_slab *slab) { mb_slab_set_used(slab, MB_SLAB_HEARTBEAT, MB_SLAB_HEARTBEAT); }

// Asserts the invariants that can be seen from the slab alone.
void mb_slab_check(const struct mb_slab *slab);

#endif
