// From any pointer that a user hands in to what it is. Any thread.
#ifndef MB_CORE_HEAP_LOOKUP_H
#define MB_CORE_HEAP_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/report.h"
#include "core/heap/self.h"

enum mb_block_kind { MB_BLOCK_SLAB, MB_BLOCK_LARGE, MB_BLOCK_OUTSIDE, MB_BLOCK_LIBC };

struct mb_block {
    enum mb_block_kind kind;
    struct mb_unit *unit; // MB_BLOCK_SLAB and MB_BLOCK_LARGE: the span's first unit
    size_t bytes;         // usable
};

// Describes the block that starts at p (not NULL); whatever is no block at all ends the process with a line that names the
// operation. A freed small block is described like a live one: see mb_lookup_live.
struct mb_block mb_lookup(enum mb_operation operation, const void *p);

// The same, and a block that is free ends the process too.
struct mb_block mb_lookup_live(enum mb_operation operation, const void *p);

// Whether it is a small block that is free.
bool mb_block_is_freed(const struct mb_block *block, const void *p);

#endif
