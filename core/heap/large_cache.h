// Large blocks that were freed a moment ago, kept whole for the next request of the same number of pages.
//
// What: a few slots, so that a program that allocates and frees the same buffers again and again neither searches the
// arena nor moves guard pages. Every heap has nine caches for blocks that its own thread has made (core/front/large.c);
// eight of them divide the lengths up to 512 KiB among them, so that a search looks at four slots. One more cache is
// shared by all threads. A cache stores spans only and does not interpret their descriptors.
// Who: any thread may take, without locks, by one compare-and-swap (none in a process with one thread); each function
// below says who may put.
#ifndef MB_CORE_HEAP_LARGE_CACHE_H
#define MB_CORE_HEAP_LARGE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/config.h"
#include "core/heap/large_length.h"
#include "platform/compiler.h"
#include "platform/thread.h"

enum { MB_LARGE_SLOTS = 4, MB_LARGE_SETS = MB_LARGE_LONG_SET + 1 };

struct mb_large_cache_shared {
    _Atomic uint64_t slot[MB_LARGE_SLOTS]; // entries; 0 is empty. Filling releases the descriptor, taking acquires it
};

// A slot's value: first piece + 1 in the low half, the block's length in pieces above; the highest bit is set once a
// tick has passed.
enum { MB_LARGE_LENGTH_SHIFT = 32 };
#define MB_LARGE_OLD (UINT64_C(1) << 63)

MB_INLINE uint64_t mb_large_entry(size_t first, size_t pieces) { return (uint64_t)pieces << MB_LARGE_LENGTH_SHIFT | (first + 1); }
MB_INLINE size_t mb_large_entry_first(uint64_t entry) { return (size_t)(uint32_t)entry - 1; }
MB_INLINE size_t mb_large_entry_pieces(uint64_t entry) { return (size_t)((entry & ~MB_LARGE_OLD) >> MB_LARGE_LENGTH_SHIFT); }

MB_INLINE uint64_t mb_large_cache_look(const struct mb_large_cache_shared *cache, unsigned i) {
    return atomic_load_explicit(&cache->slot[i], memory_order_relaxed);
}

// Takes out the entry that was seen, if it is still there. A single-threaded process needs no atomic instruction, which
// would be a third of the time of a malloc and free.
MB_INLINE bool mb_large_cache_empty(_Atomic uint64_t *slot, uint64_t seen) {
    if (mb_thread_is_only()) {
        atomic_store_explicit(slot, 0, memory_order_relaxed);
        return true;
    }
    return atomic_compare_exchange_strong_explicit(slot, &seen, 0, memory_order_acquire, memory_order_relaxed);
}

// Keeps a span. Refuses if no slot is empty, or if more than `pieces_max` pieces would be kept. Any thread.
bool mb_large_cache_put(struct mb_large_cache_shared *cache, size_t first, size_t pieces, size_t pieces_max);

// For the only thread that may put into this cache: an empty slot, which stays empty until that thread fills it. NULL:
// there is none.
MB_INLINE _Atomic uint64_t *mb_large_cache_room_own(struct mb_large_cache_shared *cache) {
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        if (mb_large_cache_look(cache, i) == 0) return &cache->slot[i];
    }
    return NULL;
}

// Takes out a block of so many pieces, or up to `most`: its entry is at most this much above the shortest one.
MB_INLINE bool mb_large_cache_take(struct mb_large_cache_shared *cache, size_t pieces, size_t most, size_t *first) {
    uint64_t shortest = mb_large_entry(0, pieces), range = (uint64_t)(most - pieces + 1) << MB_LARGE_LENGTH_SHIFT;
    for (unsigned i = 0; i < MB_LARGE_SLOTS; i++) {
        uint64_t seen = mb_large_cache_look(cache, i);
        if ((seen & ~MB_LARGE_OLD) - shortest >= range || !mb_large_cache_empty(&cache->slot[i], seen)) continue;
        *first = mb_large_entry_first(seen);
        return true;
    }
    return false;
}

// The number of pieces kept now.
size_t mb_large_cache_pieces(const struct mb_large_cache_shared *cache);

// Take out all spans, or those that were kept for a whole tick, and pass each to `give`. Any thread.
void mb_large_cache_flush(struct mb_large_cache_shared *cache, void (*give)(size_t first));
void mb_large_cache_age(struct mb_large_cache_shared *cache, void (*give)(size_t first));

#endif
