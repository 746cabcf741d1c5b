#include "core/base/owner_check.h"

#include <pthread.h>
#include <stdbool.h>

#include "core/base/check.h"

// Atomic, so that the very mistake that is to be told is no data race of ours.
void mb_owner_check_slow(struct mb_owner *owner, const void *what) {
    uintptr_t self = (uintptr_t)pthread_self(), nobody = 0;
    if (__atomic_compare_exchange_n(&owner->thread, &nobody, self, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) return;
    MB_REQUIRE(nobody == self, "used by a second thread without hand-over", what);
}
