// A set of blocks, out of their reach: who is live, who is held back, who ends at a guard.
//
//   blocks   | 0 | 1 | 2 | ... count |   free   |     dense, so that a random pick is one index
//   heads    two hash tables of chains through the blocks: by address, and (where asked for) by size
//
// What: finds by address or size, picks, adds and takes in O(1). Grows by doubling into a fresh mapping (core/harden/meta.h).
// Who: the owner thread, or whoever holds the lock of the layer it belongs to.
// Invariant: count <= capacity, bytes is the sum over all blocks. A refused growth has changed nothing.
#ifndef MB_CORE_HARDEN_BLOCK_TABLE_H
#define MB_CORE_HARDEN_BLOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum mb_block_key { MB_BLOCK_BY_ADDRESS, MB_BLOCK_BY_SIZE, MB_BLOCK_KEYS };
static const uint32_t MB_BLOCK_NONE = UINT32_MAX;

struct mb_known_block {
    uintptr_t at;
    size_t bytes;
    size_t extra;                 // whatever the table's user wants to know besides
    uint32_t next[MB_BLOCK_KEYS]; // index + 1 of the neighbours in the chain of each key, 0: none
    uint32_t prev[MB_BLOCK_KEYS];
};

struct mb_block_table {
    struct mb_known_block *blocks; // NULL until the first reservation
    uint32_t *heads;               // MB_BLOCK_KEYS times `capacity` of them: index + 1, 0: none
    uint32_t count, capacity;      // capacity: a power of two, or 0
    uint32_t keys;                 // how many keys are kept: 1 or 2
    size_t bytes;
};

// An empty table that owns nothing.
void mb_block_table_init(struct mb_block_table *table, bool by_size);

// Makes room for so many more blocks: MB_FULL or MB_REFUSED when there is none.
enum mb_error mb_block_table_reserve(struct mb_block_table *table, uint32_t more);

// Adds a block; there must be room, and no block at this address.
void mb_block_table_add(struct mb_block_table *table, uintptr_t at, size_t bytes, size_t extra);

// The index of the block at an address / of the newest block of exactly this size whose address is a multiple of `align`
// (a few are looked at), or MB_BLOCK_NONE. Indices hold until the next add or take.
uint32_t mb_block_table_find(const struct mb_block_table *table, uintptr_t at);
uint32_t mb_block_table_find_size(const struct mb_block_table *table, size_t bytes, size_t align);

// Removes the block and returns it.
struct mb_known_block mb_block_table_take(struct mb_block_table *table, uint32_t index);

// Forgets all blocks / returns the memory too.
void mb_block_table_clear(struct mb_block_table *table);
enum mb_error mb_block_table_drop(struct mb_block_table *table);

bool mb_block_table_check(const struct mb_block_table *table);

#endif
