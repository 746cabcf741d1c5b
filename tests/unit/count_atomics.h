// Included by the compiler (-include) before everything else in the sources of the maps that test_unit_map and
// test_piece_map examine: counts each of their atomic accesses as one word read.
#ifndef MB_TESTS_UNIT_COUNT_ATOMICS_H
#define MB_TESTS_UNIT_COUNT_ATOMICS_H

#include <stdatomic.h>
#include <stdint.h>

extern uint64_t words_looked_at;

#define COUNTED(builtin, ...) (words_looked_at++, builtin(__VA_ARGS__))

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#define atomic_load_explicit(p, order) (words_looked_at++, *(p))
#define atomic_store_explicit(p, value, order) (words_looked_at++, (void)(*(p) = (value)))
#define atomic_fetch_or_explicit(p, value, order) COUNTED(__atomic_fetch_or, (uint64_t *)(p), value, order)
#define atomic_fetch_and_explicit(p, value, order) COUNTED(__atomic_fetch_and, (uint64_t *)(p), value, order)
#define atomic_compare_exchange_strong_explicit(p, expected, desired, success, failure)                                                    \
    COUNTED(__atomic_compare_exchange_n, (uint64_t *)(p), expected, desired, 0, success, failure)
#define atomic_compare_exchange_weak_explicit(p, expected, desired, success, failure)                                                      \
    COUNTED(__atomic_compare_exchange_n, (uint64_t *)(p), expected, desired, 0, success, failure)

#undef atomic_load
#undef atomic_store
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_compare_exchange_strong
#define atomic_load(p) (words_looked_at++, *(p))
#define atomic_store(p, value) (words_looked_at++, (void)(*(p) = (value)))
#define atomic_fetch_or(p, value) COUNTED(__atomic_fetch_or, (uint64_t *)(p), value, __ATOMIC_SEQ_CST)
#define atomic_fetch_and(p, value) COUNTED(__atomic_fetch_and, (uint64_t *)(p), value, __ATOMIC_SEQ_CST)
#define atomic_compare_exchange_strong(p, expected, desired)                                                                               \
    COUNTED(__atomic_compare_exchange_n, (__typeof__(*(expected)) *)(p), expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#endif
