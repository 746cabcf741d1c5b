// Freed large blocks that are kept mapped for the next large malloc, so that a buffer that a program allocates and
// frees again and again costs no system call, no page fault and no search of the arena.
//
// What: two kinds of cache (core/heap/large_cache.h). A heap's own ones, four blocks in each of eight for at most 512
// KiB, by their length (core/heap/large_length.h), and four longer ones (where there are more than four heaps, four of
// any length), hold what its thread has both made and freed; the descriptors have the flag MB_LARGE_KEPT. The shared
// cache holds four blocks that were freed by another thread than the one that made them; their descriptors say
// MB_UNIT_NONE. Until a block of the shared cache has been used again, every freed block goes there, so a program that
// reuses none keeps four at most.
// Memory: before the arena grows, the caches are emptied, but for small ones of few heaps (mb_large_may_stay) (of the
// other heaps at most 64, in turn). Two ticks of the purge clock, malloc_trim, a shortage of memory and the end of the
// thread empty them, too.
// Double free: a second free sees MB_LARGE_KEPT or MB_UNIT_NONE. If two threads free one block at the same moment, the
// other thread may miss the flag and claim the block; whoever next takes the block out of the heap's cache then finds
// the changed descriptor, or the flag cleared by whoever has it anew, and ends the process. So keeping needs no atomic
// read-modify-write, and taking one at most.
// Who: any thread; the functions named own are for the calling thread's heap. The
// short ways: core/large/large_quick.h.
#ifndef MB_CORE_LARGE_LARGE_KEEP_H
#define MB_CORE_LARGE_LARGE_KEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/heap/large_cache.h"
#include "core/heap/self.h"
#include "core/large/large_span.h"
#include "core/region/large_record.h"
#include "core/told/report.h"
#include "platform/compiler.h"

extern MB_HIDDEN struct mb_large_keep_shared {
    _Atomic size_t own_pieces_max MB_PAIR_ALIGNED; // longest block that heaps keep; 0: they keep none yet; relaxed
    _Atomic size_t short_lengths;                  // that have caches (large_length.h); 0: too many heaps; relaxed
    _Atomic bool heaps_may_keep;                   // a hint: set when a heap keeps one, cleared by a flush; relaxed
} mb_large_keep_shared;

// The longest span that a heap keeps, in pieces: 4 MiB and a unit for its guard page.
enum { MB_OWN_KEPT_PIECES = (4 << 20 >> MB_PIECE_SHIFT) + MB_UNIT_PIECES };

MB_INLINE bool mb_large_is_kept(const struct mb_slab *large) {
    return mb_large_is_record(large) && (MB_PEEK(large->large_flags) & MB_LARGE_KEPT) != 0;
}

// Puts a block that is being freed, if it suits, into the heap's cache for its length. False, and nothing has changed:
// it does not suit, or the cache is full. Owner thread.
bool mb_large_keep_own(struct mb_heap *heap, struct mb_slab *large);

// Takes a kept block that is long enough, and not too long, out of the heap's cache (it is live again; owner thread),
// or out of the shared cache (its descriptor still says MB_UNIT_NONE; any thread). NULL: there is none.
struct mb_slab *mb_large_take_own(struct mb_heap *heap, const struct mb_large_extent *extent);
struct mb_slab *mb_large_take_everybodys(const struct mb_large_extent *extent);

// Puts a block whose descriptor says MB_UNIT_NONE into the shared cache. False: it is full, or would hold more than
// `units_max` units. Any thread.
bool mb_large_put_everybodys(const struct mb_slab *large, size_t units_max);

// Return kept blocks to the arena: all (malloc_trim, shortage); those kept for a whole tick (up to 1,024 heaps a call,
// in turn); those of one heap. Any thread.
void mb_large_flush(void);
void mb_large_age(void);
void mb_large_flush_heap(struct mb_heap *heap);
// Whether `heap` keeps so little that the arena may grow for a block of up to 512 KiB before that is returned. Owner
// thread.
bool mb_large_may_stay(const struct mb_heap *heap);
// Before the arena grows: returns the blocks of the shared cache and of `heap`, and, while fewer than `units` units are
// free with pages, those of other heaps.
void mb_large_flush_to_grow(struct mb_heap *heap, size_t units);

// Units in the caches now: of all heaps and the shared one; without the heaps where there have been more than 64.
size_t mb_large_kept_units(void);
size_t mb_large_kept_at_hand(void);
// Returns kept blocks to the arena; heaps keep none from now on until a block of the shared cache is used again.
void mb_large_flush_at_hand(void);

// In a forked child: returns blocks that threads which do not exist here were putting into or taking out of a cache.
void mb_large_recover(void);

#endif
