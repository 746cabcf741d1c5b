// A small number for each thread, by which threads choose different shards of a counter. Four bytes of static TLS.
#ifndef MB_CORE_BASE_THREAD_NUMBER_H
#define MB_CORE_BASE_THREAD_NUMBER_H

#include <stdint.h>

#include "platform/compiler.h"

extern MB_THREAD_LOCAL uint32_t mb_thread_number_or_0;

uint32_t mb_thread_number_slow(void);

// From 1 on, in the order of the threads' first calls; the numbers of ended threads are not used again. Any thread.
MB_INLINE uint32_t mb_thread_number(void) {
    uint32_t number = mb_thread_number_or_0;
    return MB_LIKELY(number != 0) ? number : mb_thread_number_slow();
}

#endif
