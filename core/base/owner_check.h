// The comparing half of core/base/owner.h: free in release builds.
#ifndef MB_CORE_BASE_OWNER_CHECK_H
#define MB_CORE_BASE_OWNER_CHECK_H

#include "core/base/config.h"
#include "core/base/owner.h"

void mb_owner_check_slow(struct mb_owner *owner, const void *what);

// `what` is the address that the report names. At the start of every call that belongs to the owner.
MB_INLINE void mb_owner_check(struct mb_owner *owner, const void *what) {
    if (MB_CHECKS) mb_owner_check_slow(owner, what);
}

#endif
