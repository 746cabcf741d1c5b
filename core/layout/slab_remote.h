// What other threads may do to a slab: its state word, and the bits of the blocks that they freed.
//
//   bits 0-1    state
//   bit 2       busy: somebody gives free pages of a QUEUED or UNOWNED slab back; until he is done nobody changes the state
//   bits 3-31   generation, raised by every change of state
//
// States, and who may leave them by one compare-and-swap on the whole word:
//
//   NONE     no slab                              -> CURRENT by the thread that took the span (plain store)
//   CURRENT  a heap allocates from it             -> QUEUED, UNOWNED         by its owner
//   QUEUED   owned, waits in its owner's queue    -> CURRENT, UNOWNED, NONE  by its owner; NONE by anyone when all blocks are free
//   UNOWNED  nobody may touch the owner's part    -> CURRENT, QUEUED         by any heap (adoption); NONE by anyone when all are free
//
// A queue or pool entry is a pair (unit, generation): when the generation has moved on, the entry just drops.
//
// A block comes back by one atomic `or` on its remote bit: lock-free, no allocation, and the block itself is not
// touched. The freer then reads the state: while the slab is CURRENT its owner will look; else the freer looks whether
// all is free. The `or` and that load, and on the other side the change of state and the owner's look at the bits, are
// sequentially consistent, so one of both sees the other (Dekker's argument).
// Who: any thread.
// Order: setting a remote bit releases the block, collecting it acquires; leaving ownership releases the owner's part.
// Ideas: thread-delayed frees of mimalloc; bitmaps instead of lists after hardened_malloc and jemalloc's slabs.
#ifndef MB_CORE_LAYOUT_SLAB_REMOTE_H
#define MB_CORE_LAYOUT_SLAB_REMOTE_H

#include "core/region/unit.h"
#include "platform/thread.h"

enum mb_slab_state { MB_SLAB_NONE, MB_SLAB_CURRENT, MB_SLAB_QUEUED, MB_SLAB_UNOWNED };

enum { MB_REMOTE_GENERATION_SHIFT = 3, MB_REMOTE_BUSY = 4, MB_REMOTE_STATE_MASK = 7 };

MB_INLINE uint64_t mb_remote_word(enum mb_slab_state state, uint32_t generation) {
    return (uint32_t)(generation << MB_REMOTE_GENERATION_SHIFT | (uint32_t)state);
}
// A busy slab is in none of the states.
MB_INLINE enum mb_slab_state mb_remote_state(uint64_t word) { return (enum mb_slab_state)(word & MB_REMOTE_STATE_MASK); }
MB_INLINE uint32_t mb_remote_generation(uint64_t word) { return (uint32_t)word >> MB_REMOTE_GENERATION_SHIFT; }

MB_INLINE uint64_t mb_remote_load(const struct mb_unit *unit) { return atomic_load_explicit(&unit->shared.remote, memory_order_seq_cst); }

MB_INLINE uint64_t mb_remote_next(uint64_t seen, enum mb_slab_state to) { return mb_remote_word(to, mb_remote_generation(seen) + 1); }

// Changes the state if the word still is `seen`. Any thread that the table above allows. The only thread of a process
// needs no atomic instruction: there are three in a pair of blocks whose slabs have few, a fifth of its time.
MB_INLINE bool mb_remote_change(struct mb_unit *unit, uint64_t seen, enum mb_slab_state to) {
    if (mb_thread_is_only()) {
        bool same = atomic_load_explicit(&unit->shared.remote, memory_order_relaxed) == seen;
        if (same) atomic_store_explicit(&unit->shared.remote, mb_remote_next(seen, to), memory_order_relaxed);
        return same;
    }
    return atomic_compare_exchange_strong_explicit(&unit->shared.remote, &seen, mb_remote_next(seen, to), memory_order_seq_cst,
                                                   memory_order_relaxed);
}

// Makes a QUEUED or UNOWNED slab busy, and what it was again: its generation stays. Any thread / the one that made it
// busy.
MB_INLINE bool mb_remote_make_busy(struct mb_unit *unit, uint64_t seen) {
    return atomic_compare_exchange_strong_explicit(&unit->shared.remote, &seen, seen | MB_REMOTE_BUSY, memory_order_seq_cst,
                                                   memory_order_relaxed);
}
MB_INLINE void mb_remote_end_busy(struct mb_unit *unit, uint64_t seen) {
    atomic_store_explicit(&unit->shared.remote, seen, memory_order_seq_cst);
}

// Where a slab's bits are, as any thread sees it: `words` words of free bits, then as many of remote bits.
struct mb_slab_bits {
    uint64_t *free;
    _Atomic uint64_t *remote;
    uint32_t words;
};

enum { MB_BITS_WORDS_SHIFT = 48 };

MB_INLINE struct mb_slab_bits mb_slab_bits(const struct mb_unit *unit) {
    uint64_t packed = atomic_load_explicit(&unit->shared.bits, memory_order_acquire);
    uint32_t words = (uint32_t)(packed >> MB_BITS_WORDS_SHIFT);
    uint64_t *first = (uint64_t *)(uintptr_t)(packed & ((UINT64_C(1) << MB_BITS_WORDS_SHIFT) - 1));
    return (struct mb_slab_bits){first, (_Atomic uint64_t *)(first + words), words};
}

MB_INLINE void mb_slab_set_bits(struct mb_unit *unit, uint64_t *first, uint32_t words) {
    uint64_t packed = (uint64_t)words << MB_BITS_WORDS_SHIFT | (uintptr_t)first;
    atomic_store_explicit(&unit->shared.bits, packed, memory_order_release);
}

// Sets the remote bit of a live block; true when it was set before. Any thread. That nothing but this bit is asked of
// the old word lets the compiler use one instruction, which fetches the line once; asked for more it reads first, then
// exchanges.
MB_INLINE bool mb_remote_free(const struct mb_slab_bits *bits, uint32_t index) {
    uint64_t bit = UINT64_C(1) << (index % 64);
    return (atomic_fetch_or_explicit(&bits->remote[index / 64], bit, memory_order_seq_cst) & bit) != 0;
}

MB_INLINE uint64_t mb_remote_bits(const struct mb_slab_bits *bits, uint32_t word) {
    return atomic_load_explicit(&bits->remote[word], memory_order_seq_cst);
}

// The owner's bits as others see them.
MB_INLINE uint64_t mb_free_bits(const struct mb_slab_bits *bits, uint32_t word) {
    return __atomic_load_n(&bits->free[word], __ATOMIC_ACQUIRE);
}

#endif
