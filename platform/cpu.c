#include "platform/cpu.h"

bool mb_cpu_counts_bits;

void mb_cpu_look(void) {
#if defined(__x86_64__)
    enum { FEATURES = 1, POPCNT = 1 << 23 };
    uint32_t a = FEATURES, b, c, d;
    __asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    mb_cpu_counts_bits = (c & POPCNT) != 0;
#else
    mb_cpu_counts_bits = true;
#endif
}
