#include "core/base/owner.h"

#include <stdbool.h>

#include "core/base/check.h"
#include "core/base/thread_number.h"

void mb_owner_check_slow(struct mb_owner *owner, const void *member) {
    uint32_t me = mb_thread_number(), seen = 0;
    bool mine = __atomic_compare_exchange_n(&owner->thread, &seen, me, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    MB_REQUIRE(mine || seen == me, "used by a second thread without hand-over", member);
}
