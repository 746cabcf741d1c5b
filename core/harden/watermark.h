// Tells when memory runs low: at levels of a budget, and when a request fails.
//
//   used    ___________..75 %..___________..90 %..______ budget
//   rising    once at each level; again after used has fallen `hysteresis` percent below it (which is reported, too)
//   failure   at the first request that fails; again after one has succeeded
//
// What: used bytes are the bytes requested, minus, over a base with MB_TRAIT_FREES, those freed. It refuses nothing.
// Who: as the base. The callback runs in the thread whose call crossed the level, with no lock held: it may allocate
// and free, also here. Over a shared base several threads may be in it at once.
// Invariant: with no call under way, a level is marked as crossed iff used bytes, when they last left the band between
// level - hysteresis and level, left it upwards.
#ifndef MB_CORE_HARDEN_WATERMARK_H
#define MB_CORE_HARDEN_WATERMARK_H

#include <stdatomic.h>

#include "core/harden/configs.h"
#include "core/harden/layer.h"

struct mb_watermark_level {
    size_t high, low; // bytes: crossed at `high` and above, armed again below `low`
    unsigned percent;
};

struct mb_watermark_shared {
    struct mb_layer layer;
    struct mb_watermark_config config;                      // constant
    struct mb_watermark_level levels[MB_WATERMARK_LEVELS];  // constant
    size_t level_count;                                     // constant
    // Written by any thread that allocates or frees. Relaxed: they guard no memory; the thread that changes a flag
    // makes the callback.
    MB_CACHE_ALIGNED _Atomic size_t used;
    _Atomic bool crossed[MB_WATERMARK_LEVELS];
    _Atomic bool failing;
};

// MB_BAD_CONFIG if there is no callback, no sensible set of levels, or no limit to measure against.
enum mb_error mb_watermark_init(struct mb_watermark_shared *watermark, const struct mb_watermark_config *config,
                                struct mb_allocator *base);

// Any thread.
size_t mb_watermark_used(const struct mb_watermark_shared *watermark);

#endif
