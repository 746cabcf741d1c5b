// A set of blocks of memory, found by address or by size in O(1), for the hardening layers: a layer records its live
// blocks, or those in quarantine, outside of the memory that the program can overwrite.
//
//   blocks   | 0 | 1 | 2 | ... count |   free   |     dense, so a random block is one index
//   heads    two hash tables over `blocks`, chained: by address, and by size if the table was made with by_size
//
// What: grows by doubling into a fresh mapping (core/harden/meta.h), rehashing all.
// Who: the owner thread, or whoever holds the lock of the layer that the table belongs to.
// Invariant: count <= capacity; bytes is the sum over all blocks. A growth that is refused has changed nothing.
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
    size_t extra;                 // for the table's user
    uint32_t next[MB_BLOCK_KEYS]; // index + 1 of the neighbours in the chain of each key; 0: none
    uint32_t prev[MB_BLOCK_KEYS];
};

struct mb_block_table {
    struct mb_known_block *blocks; // NULL until the first reservation
    uint32_t *heads;               // MB_BLOCK_KEYS * capacity: index + 1 of a chain's first block; 0: none
    uint32_t count, capacity;      // capacity: a power of two, or 0
    uint32_t keys;                 // how many hash tables there are: 1 or 2; written by mb_block_table_init alone
    size_t bytes;                  // of all blocks
};

// An empty table that owns nothing.
void mb_block_table_init(struct mb_block_table *table, bool by_size);

// Makes room for `more` blocks. MB_FULL: more than 2^30 in all. MB_REFUSED: the system gives no memory.
enum mb_error mb_block_table_reserve(struct mb_block_table *table, uint32_t more);

// Adds a block; there must be room, and no block at this address.
void mb_block_table_add(struct mb_block_table *table, uintptr_t at, size_t bytes, size_t extra);

// The index of the block at address `at`, or of a recent block of exactly `bytes` whose address is a multiple of
// `align` (the newest eight of that size are tried). MB_BLOCK_NONE: there is none. Indices are valid until the next
// take.
uint32_t mb_block_table_find(const struct mb_block_table *table, uintptr_t at);
uint32_t mb_block_table_find_size(const struct mb_block_table *table, size_t bytes, size_t align);

// Removes the block at `index` and returns it. The last block moves to its index.
struct mb_known_block mb_block_table_take(struct mb_block_table *table, uint32_t index);

// Removes all blocks and keeps the memory / unmaps it, too.
void mb_block_table_clear(struct mb_block_table *table);
enum mb_error mb_block_table_drop(struct mb_block_table *table);

// Whether the invariant and the chains hold. O(count); for check builds and tests.
bool mb_block_table_check(const struct mb_block_table *table);

#endif
