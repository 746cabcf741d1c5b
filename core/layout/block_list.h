// Lists of free blocks through the blocks themselves: popping and pushing one.
//
// What: a list starts at an address (allocation lists) or at the code of one (a slab's local list) and ends at
// mb_list_end(start of the slab). The links and tags are those of core/harden/link_key.h.
// Who: the owner of the list.
// Invariant: every block of a list is a block of one slab, with its tag in place.
#ifndef MB_CORE_LAYOUT_BLOCK_LIST_H
#define MB_CORE_LAYOUT_BLOCK_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/config.h"
#include "core/harden/link_key.h"

enum { MB_LINK_END = 0x40000 }; // flips the slab's start to an address that is no block of any slab

// The address that ends every list of the slab that starts at `start`.
MB_INLINE uintptr_t mb_list_end(uintptr_t start) { return start ^ MB_LINK_END; }

// A block that is never handed out and whose link leads nowhere: the head of an empty allocation list.
extern MB_HIDDEN const struct mb_free_block mb_sentinel;

// Pops the head when the next block lies in the same unit. Else (the list is empty, this is its last block, the next
// one lies in another unit, or the link is broken) false, and nothing has changed: mb_chain_slab_pop says which.
MB_INLINE bool mb_list_pop(const struct mb_link_key *key, uintptr_t *head, struct mb_free_block **out) {
    struct mb_free_block *block = (struct mb_free_block *)*head;
    uintptr_t next = mb_link_next(key, block);
    if (MB_UNLIKELY((next ^ (uintptr_t)block) >= MB_UNIT_BYTES)) return false;
    MB_POKE(*head, next);
    mb_tag_clear(block);
    *out = block;
    return true;
}

// The same, and the block's tag must be in place too.
MB_INLINE bool mb_list_pop_tagged(const struct mb_link_key *key, uintptr_t *head, struct mb_free_block **out) {
    return MB_LIKELY(mb_tag_present(key, (const struct mb_free_block *)*head)) && mb_list_pop(key, head, out);
}

// Pushes a block whose own code is known. `head_code` is the code of the list's first block.
MB_INLINE void mb_list_push(uint64_t *head_code, struct mb_free_block *block, uint64_t own_code) {
    mb_link_store(block, *head_code);
    mb_tag_store(block, own_code);
    MB_POKE(*head_code, own_code);
}

#endif
