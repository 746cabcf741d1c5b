// From any pointer that a user hands in to what it is. Any thread.
#ifndef MB_CORE_FRONT_LOOKUP_H
#define MB_CORE_FRONT_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/self.h"
#include "core/told/report.h"

// MB_BLOCK_NONE: no block, which has been reported, and the process goes on.
enum mb_block_kind { MB_BLOCK_NONE, MB_BLOCK_SLAB, MB_BLOCK_LARGE, MB_BLOCK_OUTSIDE, MB_BLOCK_GUARDED, MB_BLOCK_LIBC };

struct mb_block {
    enum mb_block_kind kind;
    struct mb_unit *unit; // MB_BLOCK_SLAB and MB_BLOCK_LARGE: the span's first unit
    size_t bytes;         // usable
};

// Describes the block that starts at p (not NULL), if there is one: live or freed.
bool mb_lookup_any(const void *p, struct mb_block *out);

// Describes the block that starts at p (not NULL); whatever is no block at all is reported with the operation's name. A
// freed block may be described like a live one: see mb_lookup_live.
struct mb_block mb_lookup(enum mb_operation operation, const void *p);

// The same, and a block that is free is reported too.
struct mb_block mb_lookup_live(enum mb_operation operation, const void *p);

// What is wrong with a block that is free.
enum mb_fault mb_block_fault(const struct mb_block *block, const void *p);

// Whether it is a block that is free.
bool mb_block_is_freed(const struct mb_block *block, const void *p);

// The usable bytes of a live block of a slab; 0 for anything else, whatever it is.
MB_INLINE size_t mb_lookup_small(const void *p) {
    if (!mb_space_contains(p)) return 0;
    const struct mb_unit *unit = mb_unit_of(p);
    struct mb_halves product = mb_slab_product(&unit->slab, mb_unit_offset(p));
    if (product.low >= MB_PEEK(unit->slab.bound)) return 0;
    struct mb_slab_bits bits = mb_slab_bits(unit);
    uint32_t word = (uint32_t)product.high / 64;
    if (((mb_free_bits(&bits, word) | mb_remote_bits(&bits, word)) >> (product.high % 64) & 1) != 0) return 0;
    return MB_PEEK(unit->slab.block_bytes);
}

#endif
