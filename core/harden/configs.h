// How each layer is set up, and what it tells: plain data, without the layers themselves. Each config starts with its
// own size, so that it may grow at its end; initialise with the macro, then change what is to be different.
// Who: the thread that makes a layer; configs are copied.
#ifndef MB_CORE_HARDEN_CONFIGS_H
#define MB_CORE_HARDEN_CONFIGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// --- core/harden/statistics.h ----------------------------------------------------------------------------------------

struct mb_statistics_config {
    size_t size;
    size_t peak_grain_bytes;  // a shard tells the common count of live bytes when its own has moved by this much; 0: at once
};
// The peak is exact, at one contended cache line. 16384 and the like take the contention away.
#define MB_STATISTICS_CONFIG {sizeof(struct mb_statistics_config), 0}

struct mb_statistics_numbers {
    uint64_t allocations, frees; // grow and shrink are neither
    uint64_t live_bytes, peak_bytes;
    uint64_t failures;           // calls that returned an error
    uint64_t corruption;         // damage found below, as mb_allocator_corruption_events
};

// --- core/harden/watermark.h -----------------------------------------------------------------------------------------

enum mb_watermark_kind { MB_WATERMARK_RISING, MB_WATERMARK_FALLING, MB_WATERMARK_FAILURE };

struct mb_watermark_event {
    enum mb_watermark_kind kind;
    unsigned percent; // the level; 0 for a failure
    size_t used_bytes, budget_bytes;
};
typedef void mb_watermark_callback(void *context, const struct mb_watermark_event *event);

enum { MB_WATERMARK_LEVELS = 4 };

struct mb_watermark_config {
    size_t size;
    mb_watermark_callback *callback;        // must be there
    void *context;
    size_t budget_bytes;                    // what 100 % is; 0: the base's capacity, which must be bounded then
    unsigned percent[MB_WATERMARK_LEVELS];  // rising, 1 to 100; 0 from the first unused one on
    unsigned hysteresis_percent;            // below the first level
};
#define MB_WATERMARK_CONFIG(function, argument) \
    {sizeof(struct mb_watermark_config), (function), (argument), 0, {75, 90, 0, 0}, 5}

// --- core/harden/fault.h ---------------------------------------------------------------------------------------------

enum mb_fault_mode {
    MB_FAULT_NEVER,
    MB_FAULT_ALWAYS,
    MB_FAULT_AFTER,     // the first n calls pass, all later ones fail
    MB_FAULT_EVERY,     // every n-th call fails (n >= 1)
    MB_FAULT_SIZE_FROM, // calls for n bytes or more fail
    MB_FAULT_CHANCE,    // n calls in a million fail, at random
    MB_FAULT_MODES,
};

enum mb_fault_scope {
    MB_FAULT_ALL_THREADS, // one count for all
    MB_FAULT_EACH_THREAD, // a count for each thread, all by the same plan; threads beyond the 64th share one
    MB_FAULT_THIS_THREAD, // only calls of the thread that arms
    MB_FAULT_SCOPES,
};

struct mb_fault_config {
    size_t size;
    enum mb_fault_mode mode;
    enum mb_fault_scope scope;
    uint64_t n;
    uint64_t seed; // for MB_FAULT_CHANCE
};
#define MB_FAULT_CONFIG(mode, n) {sizeof(struct mb_fault_config), (mode), MB_FAULT_ALL_THREADS, (n), 0}

// --- core/harden/guard.h ---------------------------------------------------------------------------------------------

struct mb_guard_config {
    size_t size;
    uint64_t one_in; // 1: every block is guarded; else one in so many, chosen at random
};
#define MB_GUARD_CONFIG {sizeof(struct mb_guard_config), 1}

// --- core/harden/canary.h --------------------------------------------------------------------------------------------

struct mb_canary_config {
    size_t size;
};
#define MB_CANARY_CONFIG {sizeof(struct mb_canary_config)}

typedef bool mb_block_visitor(void *context, void *p, size_t bytes); // false: enough

// --- core/harden/quarantine.h ----------------------------------------------------------------------------------------

struct mb_quarantine_config {
    size_t size;
    size_t budget_bytes; // not 0
};
#define MB_QUARANTINE_CONFIG {sizeof(struct mb_quarantine_config), 1 << 20}

// --- core/harden/poison.h --------------------------------------------------------------------------------------------

struct mb_poison_config {
    size_t size;
    size_t budget_bytes; // not 0
};
#define MB_POISON_CONFIG {sizeof(struct mb_poison_config), 1 << 20}

// --- core/harden/colour.h --------------------------------------------------------------------------------------------

struct mb_colour_config {
    size_t size;
    size_t line_bytes; // a power of two: the step
    uint32_t colours;  // how many starts there are, 2 or more
};
#define MB_COLOUR_CONFIG {sizeof(struct mb_colour_config), 64, 64}

#endif
