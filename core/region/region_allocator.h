// A region as a member of the family: struct mb_region behind struct mb_allocator.
//
// What: carves by a cursor, resets, commits, gives pages back, changes access rights; other members take its range
// over. It cannot free a single block.
// Who: one owner thread at a time, watched in check builds; mb_region_allocator_hand_over gives it away.
#ifndef MB_CORE_REGION_REGION_ALLOCATOR_H
#define MB_CORE_REGION_REGION_ALLOCATOR_H

#include "core/base/allocator.h"
#include "core/base/owner.h"
#include "core/base/report.h"
#include "core/region/region.h"

struct mb_region_allocator {
    struct mb_allocator allocator;
    struct mb_region region;
    struct mb_reports reports;
    struct mb_owner owner;
    enum mb_error error; // of the last call that the region was not asked for, MB_OK: the region's own
    bool taken;          // another member carves the range
};

MB_PUBLIC_BEGIN

// Maps a region as mb_region_new_with does. On failure nothing is mapped and region.os_error says why.
enum mb_error mb_region_allocator_new_with(struct mb_region_allocator *member, const struct mb_region_config *config,
                                           enum mb_policy policy);
// At least `bytes`, committed on demand; foreign pointers end the process.
enum mb_error mb_region_allocator_new_lazy(struct mb_region_allocator *member, size_t bytes);

// The next thread that uses the member becomes its owner. Owner thread.
MB_INLINE void mb_region_allocator_hand_over(struct mb_region_allocator *member) {
    mb_owner_hand_over(&member->owner);
    mb_region_hand_over(&member->region);
}

MB_PUBLIC_END

#endif
