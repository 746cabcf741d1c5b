// Included by the compiler (-include) before everything else when the explorer's copy of the core is compiled: turns
// each atomic access into a step of explore.c, and makes units so small that a slab has two to four blocks.
//
// What: the generic functions of <stdatomic.h> and the compiler's builtins become plain accesses between two calls: one
// that may switch to another fiber first (explore_before), and one that records the effect of the memory order
// (explore_after) or returns an older value that it allows (explore_read). Everything runs on one system thread, so
// plain accesses are exact. A weak compare-and-swap never fails spuriously here.
#ifndef MB_TESTS_RACE_EXPLORE_ATOMICS_H
#define MB_TESTS_RACE_EXPLORE_ATOMICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum explore_kind { EXPLORE_LOAD, EXPLORE_STORE, EXPLORE_EXCHANGE };

struct explore_access {
    const volatile void *address;
    size_t bytes;
    enum explore_kind kind;
    int order;            // memory_order
    const void *expected; // of a compare-and-swap; else NULL
    const char *file;
    int line;
};

// True if a compare-and-swap must fail because it reads an older value.
bool explore_before(struct explore_access access);
// The value that a load, or a compare-and-swap that fails, reads: may replace it by an older one.
void explore_read(const volatile void *address, void *value, size_t bytes, int order);
// After a store or a successful read-modify-write.
void explore_after(const volatile void *address, size_t bytes, enum explore_kind kind, int order);

#define EXPLORE_BEFORE_SWAP(p, kind, order, expected) \
    explore_before( \
        (struct explore_access){(const volatile void *)(p), sizeof *(p), (kind), (int)(order), (expected), __FILE__, __LINE__})
#define EXPLORE_BEFORE(p, kind, order) (void)EXPLORE_BEFORE_SWAP(p, kind, order, NULL)
#define EXPLORE_AFTER(p, kind, order) explore_after((const volatile void *)(p), sizeof *(p), (kind), (int)(order))

// A value of the atomic's type without its qualifiers; not evaluated.
#define EXPLORE_PLAIN(p) ((void)0, *(p))

#define EXPLORE_READ(p, order) \
    __extension__({ \
        EXPLORE_BEFORE(p, EXPLORE_LOAD, order); \
        __typeof__(EXPLORE_PLAIN(p)) explore_value = *(p); \
        explore_read((const volatile void *)(p), &explore_value, sizeof explore_value, (int)(order)); \
        explore_value; \
    })
#define EXPLORE_WRITE(p, value, order) \
    __extension__({ \
        EXPLORE_BEFORE(p, EXPLORE_STORE, order); \
        *(p) = (value); \
        EXPLORE_AFTER(p, EXPLORE_STORE, order); \
    })
#define EXPLORE_UPDATE(p, after, order) \
    __extension__({ \
        EXPLORE_BEFORE(p, EXPLORE_EXCHANGE, order); \
        __typeof__(*(p) + 0) explore_old = *(p); \
        *(p) = (after); \
        EXPLORE_AFTER(p, EXPLORE_EXCHANGE, order); \
        explore_old; \
    })
#define EXPLORE_SWAP(p, expected, desired, success, failure) \
    __extension__({ \
        bool explore_same = !EXPLORE_BEFORE_SWAP(p, EXPLORE_EXCHANGE, success, expected) && *(p) == *(expected); \
        if (explore_same) { \
            *(p) = (desired); \
            EXPLORE_AFTER(p, EXPLORE_EXCHANGE, success); \
        } else { \
            *(expected) = *(p); \
            explore_read((const volatile void *)(p), (expected), sizeof *(p), (int)(failure)); \
        } \
        explore_same; \
    })

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#define atomic_load_explicit(p, order) EXPLORE_READ(p, order)
#define atomic_store_explicit(p, value, order) EXPLORE_WRITE(p, value, order)
#define atomic_exchange_explicit(p, value, order) EXPLORE_UPDATE(p, value, order)
#define atomic_fetch_add_explicit(p, value, order) EXPLORE_UPDATE(p, explore_old + (value), order)
#define atomic_fetch_sub_explicit(p, value, order) EXPLORE_UPDATE(p, explore_old - (value), order)
#define atomic_fetch_or_explicit(p, value, order) EXPLORE_UPDATE(p, explore_old | (value), order)
#define atomic_fetch_and_explicit(p, value, order) EXPLORE_UPDATE(p, explore_old & (value), order)
#define atomic_compare_exchange_strong_explicit EXPLORE_SWAP
#define atomic_compare_exchange_weak_explicit EXPLORE_SWAP
#undef atomic_fetch_or
#undef atomic_fetch_and
#define atomic_fetch_or(p, value) EXPLORE_UPDATE(p, explore_old | (value), memory_order_seq_cst)
#define atomic_fetch_and(p, value) EXPLORE_UPDATE(p, explore_old & (value), memory_order_seq_cst)
#define __atomic_load_n(p, order) EXPLORE_READ(p, order)
#define __atomic_store_n(p, value, order) EXPLORE_WRITE(p, value, order)
#define __atomic_compare_exchange_n(p, expected, desired, weak, success, failure) \
    EXPLORE_SWAP(p, expected, desired, success, failure)

// The form of platform/atomic.h in which every access goes through the builtins above.
#define MB_TSAN 1

// --- a small world --------------------------------------------------------------------------------------------------

// Renames the core's own constants, then defines those that the explorer uses.
#undef MB_CHECK
#define MB_CHECK 1
#define MB_UNIT_SHIFT MB_REAL_UNIT_SHIFT
#define MB_UNIT_BYTES MB_REAL_UNIT_BYTES
#define MB_UNIT_MASK MB_REAL_UNIT_MASK
#define MB_PIECE_SHIFT MB_REAL_PIECE_SHIFT
#define MB_UNIT_PIECES MB_REAL_UNIT_PIECES
#define MB_POOL_SLOTS MB_REAL_POOL_SLOTS
#define MB_SWEEP_UNITS MB_REAL_SWEEP_UNITS
#define MB_REUSE_FRACTION MB_REAL_REUSE_FRACTION
#include "core/base/config.h"
#undef MB_UNIT_SHIFT
#undef MB_UNIT_BYTES
#undef MB_UNIT_MASK
#undef MB_PIECE_SHIFT
#undef MB_UNIT_PIECES
#undef MB_POOL_SLOTS
#undef MB_SWEEP_UNITS
#undef MB_REUSE_FRACTION
enum {
    MB_UNIT_SHIFT = 6, // four blocks of 16 bytes, two of 32
    MB_UNIT_BYTES = 1 << MB_UNIT_SHIFT,
    MB_UNIT_MASK = MB_UNIT_BYTES - 1,
    MB_PIECE_SHIFT = MB_UNIT_SHIFT - 4,
    MB_UNIT_PIECES = 16,
    MB_POOL_SLOTS = 2,
    MB_SWEEP_UNITS = 2,
    MB_REUSE_FRACTION = 2, // so that one of four free blocks is too few
};

// What slabs depend on is provided by the explorer (explore.c): an arena of a few units, pages of one unit, no clock.
#define mb_arena_take explore_arena_take
#define mb_arena_give explore_arena_give
#define mb_arena_units explore_arena_units
#define mb_arena_note_slab explore_arena_note_slab
#define mb_arena_forget_slab explore_arena_forget_slab
#define mb_arena_next_slab explore_arena_next_slab
#define mb_arena_next_slab_near explore_arena_next_slab_near
#define mb_arena_metadata explore_arena_metadata
#define mb_arena_decommit_all explore_arena_decommit_all
#define mb_arena_shortage_enter explore_arena_shortage_enter
#define mb_arena_shortage_leave explore_arena_shortage_leave
#define mb_os_page_size explore_page_size
#define mb_os_purge explore_purge
#define mb_purge_shared explore_purge_shared
#define mb_background_tick explore_background_tick
#define mb_background_span_freed explore_background_span_freed
#define mb_background_claim_all explore_background_claim_all
#define mb_os_wait explore_wait
#define mb_os_wake explore_wake
#define mb_pieces_take explore_pieces_take
#define mb_pieces_take_held explore_pieces_take_held
#define mb_pieces_give explore_pieces_give
#define mb_outside_alloc explore_outside_alloc
#define mb_report_freed explore_freed
#define mb_report_inside explore_inside
#define mb_report_freed_at_once explore_freed_at_once
#define __rseq_size explore_rseq_size // undefined, so that the number of the processor is unknown
#define mb_fatal explore_fatal
#define mb_assert_failed explore_assert_failed

#endif
