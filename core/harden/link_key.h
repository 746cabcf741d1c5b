// Links between free blocks, and the tag that marks a block as free.
//
//   word 0 of a free block   E(next) + address of the block      the link
//   word 1 of a free block   E(address of the block)             the tag
//   E(x) = x * factor                                            factor odd and random, a secret of the process
//
// What: the product spreads every bit of `next`, so a link that was overwritten, copied from another block or hit by
// one flipped bit decodes to an address outside the slab (mb_link_key_get keeps drawing until that holds for all 64
// single flips). The tag is compared as a whole when a block is freed: equal means "looks already free". The end of a
// list is the address `start of the slab's first unit ^ MB_LINK_END`, which lies just outside every slab.
// Who: members of the region family that keep such lists. Each has a copy of the process's key where its hot functions
// have their other constants, so that these can be inlined into programs.
// Ideas: keyed links from glibc's safe-linking and hardened allocators; a product instead of an exclusive-or because an
// exclusive-or leaves single flips inside the slab.
#ifndef MB_CORE_HARDEN_LINK_KEY_H
#define MB_CORE_HARDEN_LINK_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/atomic.h"
#include "platform/compiler.h"

struct mb_link_key {
    uint64_t factor;
    uint64_t inverse; // factor * inverse == 1 modulo 2^64
};

// The first two words of a free block. The stores and loads are relaxed atomics because a wrong second free by another
// thread may look at them at any time.
struct mb_free_block {
    uint64_t link;
    uint64_t tag;
};

// The key of the process, drawn by the first caller until every single-bit flip of a link is detected. Any thread.
struct mb_link_key mb_link_key_get(void);

MB_INLINE uint64_t mb_link_encode(const struct mb_link_key *key, uintptr_t address) { return address * key->factor; }

MB_INLINE uintptr_t mb_link_decode(const struct mb_link_key *key, uint64_t code) { return code * key->inverse; }

MB_INLINE uintptr_t mb_link_next(const struct mb_link_key *key, const struct mb_free_block *block) {
    return mb_link_decode(key, MB_PEEK(block->link) - (uintptr_t)block);
}

// `next_code` is E(next).
MB_INLINE void mb_link_store(struct mb_free_block *block, uint64_t next_code) {
    MB_POKE(block->link, next_code + (uintptr_t)block);
}

MB_INLINE bool mb_tag_present(const struct mb_link_key *key, const struct mb_free_block *block) {
    return MB_PEEK(block->tag) == mb_link_encode(key, (uintptr_t)block);
}

MB_INLINE void mb_tag_clear(struct mb_free_block *block) { MB_POKE(block->tag, 0); }

MB_INLINE void mb_tag_store(struct mb_free_block *block, uint64_t own_code) {
    MB_POKE(block->tag, own_code);
}

#endif
