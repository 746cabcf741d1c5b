// Relaxed loads and stores, and two release operations, for words of the fast paths that other threads read.
//
// What: MB_PEEK and MB_POKE load and store one aligned word. They are plain accesses in normal builds, because
// compilers do not fold relaxed atomics into memory operands (one instruction each in malloc and free); on the
// processors that we build for an aligned word is read and written whole. Builds for ThreadSanitizer use relaxed
// atomics, so that it sees every other race.
// Who: the owner of the word stores, any thread loads, unless the place of use says otherwise.
#ifndef MB_PLATFORM_ATOMIC_H
#define MB_PLATFORM_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/compiler.h"

#if MB_TSAN
#define MB_PEEK(lvalue) __atomic_load_n(&(lvalue), __ATOMIC_RELAXED)
#define MB_POKE(lvalue, value) __atomic_store_n(&(lvalue), (value), __ATOMIC_RELAXED)
#else
#define MB_PEEK(lvalue) (lvalue)
#define MB_POKE(lvalue, value) ((void)((lvalue) = (value)))
#endif

// Subtracts one from the low half (not 0) of a counter that only the caller writes and others read with acquire: all
// earlier stores of the caller are visible to a reader that sees the new value. True when the low half has become 0.
MB_INLINE bool mb_owner_decrement(uint32_t *counter) {
#if defined(__x86_64__) && !MB_TSAN
    // Stores are not reordered with stores here, so the subtraction itself is the release.
    bool zero;
    __asm__ volatile("subw $1, %0" : "+m"(*counter), "=@ccz"(zero) : : "memory");
    return zero;
#else
    uint32_t value = __atomic_load_n(counter, __ATOMIC_RELAXED) - 1;
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
    return (value & 0xffff) == 0;
#endif
}

MB_INLINE uint32_t mb_counter_read(const uint32_t *counter) { return __atomic_load_n(counter, __ATOMIC_ACQUIRE); }
MB_INLINE void mb_counter_write(uint32_t *counter, uint32_t value) { __atomic_store_n(counter, value, __ATOMIC_RELEASE); }

// All stores before the fence are visible to a thread that sees a store after it. Builds for ThreadSanitizer have none,
// because gcc refuses fences there.
MB_INLINE void mb_release_fence(void) {
#if MB_TSAN
    __asm__ volatile("" ::: "memory");
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

#endif
