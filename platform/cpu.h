// What this processor has beyond what every one of its kind has. Any thread.
#ifndef MB_PLATFORM_CPU_H
#define MB_PLATFORM_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/bits.h"
#include "platform/compiler.h"

// There is an instruction that counts bits (x86-64: popcnt). Set by mb_cpu_look, at the start; before that false, which is only slower.
extern MB_HIDDEN bool mb_cpu_counts_bits;

// Asks the processor. Writes the same each time.
void mb_cpu_look(void);

// Bits that are set, for who knows that mb_cpu_counts_bits.
MB_INLINE uint64_t mb_count_bits_quick(uint64_t x) {
#if defined(__x86_64__)
    uint64_t count;
    __asm__("popcntq %1, %0" : "=r"(count) : "r"(x) : "cc");
    return count;
#else
    return mb_popcount64(x);
#endif
}

// Bits that are set. Not for inline functions of public headers: it needs a hidden variable.
MB_INLINE uint64_t mb_count_bits(uint64_t x) {
#if defined(__x86_64__)
    if (MB_UNLIKELY(!mb_cpu_counts_bits)) return mb_popcount64(x);
#endif
    return mb_count_bits_quick(x);
}

#endif
