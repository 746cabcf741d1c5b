// Keywords and operations of C11 that installed headers use and C++ lacks (_Atomic, _Static_assert, atomic_load ...).
//
// What: preload/public_headers.cmake puts mb_c11_ before such words when it copies a header for installation, and makes
// the copy include this file; nothing else does. In C the names mean the originals; in C++ an atomic member is a plain
// word of the same size and alignment, and the operations are the compiler's builtins.
#ifndef MB_PLATFORM_C11_H
#define MB_PLATFORM_C11_H

#ifdef __cplusplus

#define mb_c11_Atomic
#define mb_c11_Atomic_of(...) __VA_ARGS__
#define mb_c11_Static_assert static_assert
#define mb_c11_Alignof alignof
#define mb_c11_Noreturn [[noreturn]]

#define mb_c11_memory_order_relaxed __ATOMIC_RELAXED
#define mb_c11_memory_order_acquire __ATOMIC_ACQUIRE
#define mb_c11_memory_order_release __ATOMIC_RELEASE
#define mb_c11_memory_order_acq_rel __ATOMIC_ACQ_REL
#define mb_c11_memory_order_seq_cst __ATOMIC_SEQ_CST

#define mb_c11_atomic_load_explicit(p, order) __atomic_load_n(p, order)
#define mb_c11_atomic_store_explicit(p, value, order) __atomic_store_n(p, value, order)
#define mb_c11_atomic_exchange_explicit(p, value, order) __atomic_exchange_n(p, value, order)
#define mb_c11_atomic_compare_exchange_weak_explicit(p, seen, value, order, failed) \
    __atomic_compare_exchange_n(p, seen, value, true, order, failed)
#define mb_c11_atomic_compare_exchange_strong_explicit(p, seen, value, order, failed) \
    __atomic_compare_exchange_n(p, seen, value, false, order, failed)
#define mb_c11_atomic_fetch_add_explicit(p, value, order) __atomic_fetch_add(p, value, order)
#define mb_c11_atomic_fetch_sub_explicit(p, value, order) __atomic_fetch_sub(p, value, order)
#define mb_c11_atomic_fetch_or_explicit(p, value, order) __atomic_fetch_or(p, value, order)
#define mb_c11_atomic_fetch_and_explicit(p, value, order) __atomic_fetch_and(p, value, order)
#define mb_c11_atomic_signal_fence(order) __atomic_signal_fence(order)
#define mb_c11_atomic_thread_fence(order) __atomic_thread_fence(order)

#else

#include <stdatomic.h>

#define mb_c11_Atomic _Atomic
#define mb_c11_Atomic_of(type) _Atomic(type)
#define mb_c11_Static_assert _Static_assert
#define mb_c11_Alignof _Alignof
#define mb_c11_Noreturn _Noreturn

#define mb_c11_memory_order_relaxed memory_order_relaxed
#define mb_c11_memory_order_acquire memory_order_acquire
#define mb_c11_memory_order_release memory_order_release
#define mb_c11_memory_order_acq_rel memory_order_acq_rel
#define mb_c11_memory_order_seq_cst memory_order_seq_cst

#define mb_c11_atomic_load_explicit atomic_load_explicit
#define mb_c11_atomic_store_explicit atomic_store_explicit
#define mb_c11_atomic_exchange_explicit atomic_exchange_explicit
#define mb_c11_atomic_compare_exchange_weak_explicit atomic_compare_exchange_weak_explicit
#define mb_c11_atomic_compare_exchange_strong_explicit atomic_compare_exchange_strong_explicit
#define mb_c11_atomic_fetch_add_explicit atomic_fetch_add_explicit
#define mb_c11_atomic_fetch_sub_explicit atomic_fetch_sub_explicit
#define mb_c11_atomic_fetch_or_explicit atomic_fetch_or_explicit
#define mb_c11_atomic_fetch_and_explicit atomic_fetch_and_explicit
#define mb_c11_atomic_signal_fence atomic_signal_fence
#define mb_c11_atomic_thread_fence atomic_thread_fence

#endif

#endif
