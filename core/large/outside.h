// Blocks outside the arena's window: mapped one by one, because the window was refused or the block is longer than it.
// They are rare: found on slow paths by a walk over a short table. Any thread; lock-free.
#ifndef MB_CORE_LARGE_OUTSIDE_H
#define MB_CORE_LARGE_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zeroed; NULL: refused. `align` is a power of two.
void *mb_outside_alloc(size_t align, size_t bytes);
// Usable bytes of the block that starts at p; 0 if there is none.
size_t mb_outside_bytes(const void *p);
// The block that p lies in; start NULL: none.
struct mb_outside_block {
    const void *start;
    size_t bytes;
};
struct mb_outside_block mb_outside_block_of(const void *p);
// Whether p lies inside such a block.
bool mb_outside_contains(const void *p);
// False if no such block starts at p.
bool mb_outside_free(void *p);

struct mb_outside_totals {
    size_t blocks, bytes;
};
struct mb_outside_totals mb_outside_totals(void);

// Calls `visit` for each block.
void mb_outside_visit(void (*visit)(void *context, uintptr_t block, size_t bytes), void *context);

#endif
