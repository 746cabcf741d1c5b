// Instructions that not every x86-64 processor has, found at run time: popcnt. Any thread.
#ifndef MB_PLATFORM_CPU_H
#define MB_PLATFORM_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/bits.h"
#include "platform/compiler.h"

// Whether the processor has an instruction that counts set bits. False until mb_cpu_look at the start, which is slower
// and not wrong.
extern MB_HIDDEN bool mb_cpu_counts_bits;

// Asks the processor (cpuid) and sets the variable above. Idempotent.
void mb_cpu_look(void);

// How many bits are set, by the instruction. Only where mb_cpu_counts_bits.
MB_INLINE uint64_t mb_count_bits_quick(uint64_t x) {
#if defined(__x86_64__)
    uint64_t count;
    __asm__("popcntq %1, %0" : "=r"(count) : "r"(x) : "cc");
    return count;
#else
    return mb_popcount64(x);
#endif
}

// How many bits are set, by the instruction where there is one. Not for inline functions of public headers, since the
// variable is hidden.
MB_INLINE uint64_t mb_count_bits(uint64_t x) {
#if defined(__x86_64__)
    if (MB_UNLIKELY(!mb_cpu_counts_bits)) return mb_popcount64(x);
#endif
    return mb_count_bits_quick(x);
}

#endif
