#include "core/base/thread_number.h"

#include <stdatomic.h>

MB_THREAD_LOCAL uint32_t mb_thread_number_or_0;

// The last number given out; any thread, relaxed: it guards nothing.
static _Atomic uint32_t last_number_shared;

MB_COLD uint32_t mb_thread_number_slow(void) {
    while (mb_thread_number_or_0 == 0) // 0 once in 2^32 threads
        mb_thread_number_or_0 = atomic_fetch_add_explicit(&last_number_shared, 1, memory_order_relaxed) + 1;
    return mb_thread_number_or_0;
}
