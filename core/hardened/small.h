// Small blocks of the hardened front: for each size class some shards of slabs, each behind a lock of its own.
//
// What: a thread takes blocks from the shard of its number, and gives each to the shard it came from. A freed slot is
// zero at once and is not handed out again before `delay` other blocks of its class and shard were (64 at least; more
// for small ones, up to the option's bytes); then any free slot of the slab may be the next. A slab without live blocks
// waits as a whole (waiting.h) where there is more than one.
// Who: any thread. After fork: who stopped inside has left a note of the slot in his hands; the child finishes that and
// makes lists and counts anew.
#ifndef MB_CORE_HARDENED_SMALL_H
#define MB_CORE_HARDENED_SMALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/hardened/slab.h"

enum { MB_HARD_DELAY_MIN = 64 };

// Slots of two pages and more: of what is freed of a class and shard so much stays resident, the rest is shut (slab.h).
enum { MB_HARD_HELD_MAX = 128 << 10 };
// Blocks from here on have half as many shards.
enum { MB_HARD_HALF_SHARDS_MIN = 1024 };

// False: no memory. `budget_bytes`: what may wait of a class and shard.
bool mb_hard_small_init(uint64_t seed, size_t budget_bytes);

// A block of the class, `bytes` of it asked for, all of them zero. NULL: no memory.
void *mb_hard_small_alloc(unsigned class_index, size_t bytes);

// What is wrong with the block at p, which lies in the unit; if nothing is, it is freed / its length told.
enum mb_hard_fault mb_hard_small_free(struct mb_unit *unit, const void *p);
enum mb_hard_fault mb_hard_small_length(struct mb_unit *unit, const void *p, size_t *bytes);

// The same; if nothing is, and its slot suits `bytes` (MAY), or has room for so many (MUST), it is so long from now on:
// `done`.
enum mb_hard_will { MB_HARD_MAY, MB_HARD_MUST };
struct mb_hard_resize {
    size_t bytes;
    enum mb_hard_will will;
    size_t old_bytes; // result
    bool done;        // result
};
enum mb_hard_fault mb_hard_small_resize(struct mb_unit *unit, const void *p, struct mb_hard_resize *how);

// The class of a block of so many bytes at `align`; false: it is a large one.
bool mb_hard_small_class_slow(size_t align, size_t bytes, unsigned *class_index);
// Lengths whose class a table knows, at an alignment of 16.
MB_INLINE bool mb_hard_small_is_quick(size_t bytes) { return bytes - 1 < MB_SMALL_MAX - MB_SLACK_MIN; }
MB_INLINE unsigned mb_hard_small_class_quick(size_t bytes) { return mb_small_class_of[bytes + MB_SLACK_MIN]; }
MB_INLINE bool mb_hard_small_class_of(size_t align, size_t bytes, unsigned *class_index) {
    if (MB_UNLIKELY(!mb_hard_small_is_quick(bytes) || align > MB_GRANULE)) return mb_hard_small_class_slow(align, bytes, class_index);
    *class_index = mb_hard_small_class_quick(bytes);
    return true;
}

// Gives slabs without live blocks to the arena. True if there was one.
bool mb_hard_small_trim(void);

struct mb_hard_small_totals {
    size_t blocks, bytes, slabs;
    uint64_t served;
};
void mb_hard_small_count(struct mb_hard_small_totals *out);

// Looks at every slot, and tells each fault with its address, from within the lock of its class. How many there are.
size_t mb_hard_small_sweep(void (*found)(enum mb_hard_fault fault, const void *p));

// Calls with every live block's past (made is NULL where none is kept) and length, from within the lock of its class.
void mb_hard_small_visit(void (*visit)(struct mb_trace *made, size_t bytes));

// How many blocks of its class and shard were handed out since a free slot was freed. False: not known (any more). Any
// thread, without a lock.
bool mb_hard_small_freed_ago(struct mb_hard_slab *slab, uint32_t slot, uint64_t *blocks);

// In a forked child, alone.
void mb_hard_small_recover(uint64_t seed);

#endif
