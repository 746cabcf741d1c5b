// Counts what passes: allocations, frees, live and peak bytes, failures, corruption.
//
//   thread -> shard (number % 16) -> five words on a cache line of their own; what they add up to is made when somebody asks
//
// What: bytes are those that were asked for. Over a base without MB_TRAIT_FREES a block that is given up stays live
// until the reset. Size 0 and bad alignment are refused before any layer is asked, and not counted.
// Who: as the base; mb_statistics_read: any thread. No call allocates.
// Invariant: with no call under way, live_bytes is exact, and peak_bytes is within 16 * grain of the truth.
#ifndef MB_CORE_HARDEN_STATISTICS_H
#define MB_CORE_HARDEN_STATISTICS_H

#include <stdatomic.h>

#include "core/harden/configs.h"
#include "core/harden/layer.h"

enum { MB_STATISTICS_SHARDS = 16 };

// Written by the threads of the shard, read by any; relaxed: the counts guard nothing.
struct mb_statistics_shard_shared {
    MB_CACHE_ALIGNED _Atomic uint64_t allocations;
    _Atomic uint64_t frees, failures;
    _Atomic int64_t pending; // bytes that `live` below has not been told of
};

struct mb_statistics_shared {
    struct mb_layer layer;
    int64_t grain; // constant
    struct mb_statistics_shard_shared shards[MB_STATISTICS_SHARDS];
    MB_CACHE_ALIGNED _Atomic int64_t live; // written by any thread, relaxed
    _Atomic int64_t peak;                  // only rises
};

// Counts what passes on its way to `base`; acts over every base.
enum mb_error mb_statistics_init(struct mb_statistics_shared *statistics, const struct mb_statistics_config *config,
                                 struct mb_allocator *base);

// What the shards add up to. Any thread.
struct mb_statistics_numbers mb_statistics_read(const struct mb_statistics_shared *statistics);

#endif
