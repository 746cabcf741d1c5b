// Compile-time settings. They are enum constants, so that both branches of every `if` on one compile in every build.
#ifndef MB_CORE_BASE_CONFIG_H
#define MB_CORE_BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#ifndef MB_CHECK
#define MB_CHECK 0
#endif

enum {
    MB_CHECKS = MB_CHECK, // 1 in check builds: MB_ASSERT acts

    MB_UNIT_SHIFT = 16, // the arena's unit: 64 KiB
    MB_UNIT_BYTES = 1 << MB_UNIT_SHIFT,
    MB_UNIT_MASK = MB_UNIT_BYTES - 1,
    MB_PIECE_SHIFT = 12, // what a unit may be divided into: 4 KiB
    MB_UNIT_PIECES = 1 << (MB_UNIT_SHIFT - MB_PIECE_SHIFT),
    MB_PIECED_MAX = 512 << 10, // longer blocks get whole units

    MB_GRANULE = 16,         // every block starts and ends at a multiple of this
    MB_SMALL_MAX = 8192,     // looked up in the fast path's table
    MB_MEDIUM_MAX = 32768,   // the largest block of a slab
    MB_SLAB_BLOCKS_MAX = MB_UNIT_BYTES / MB_GRANULE,
    MB_MORE_BYTES_MAX = 2 * MB_SLAB_BLOCKS_MAX / 8, // the bits of a slab with the most blocks

    MB_GUARDED_LARGE_MIN = 4 << 20, // large blocks from here on end at an inaccessible page

    MB_POOL_SLOTS = 16,      // hints to unowned slabs with free blocks, per class
    MB_SWEEP_UNITS = 64,     // descriptors looked at before a class takes a new span
    MB_REUSE_FRACTION = 16,  // of a slab's blocks: when so many are free it is worth using again
};

// The arena's window and its growth, in bytes.
enum { MB_WINDOW_SHIFT = 40 };
static const size_t MB_WINDOW_BYTES = (size_t)1 << MB_WINDOW_SHIFT;
static const size_t MB_METADATA_WINDOW_BYTES = (size_t)1 << 34;
static const size_t MB_PIECE_FIRST_BYTES = (size_t)1 << 20;   // first reservation; later ones add a quarter,
static const size_t MB_PIECE_MIN_BYTES = (size_t)512 << 10;   //   and at least this
static const size_t MB_HUGE_PAGE_BYTES = (size_t)2 << 20; // of x86-64; where it is longer no huge page finds room
static const size_t MB_COMMIT_STEP_MIN = (size_t)64 << 10;
static const size_t MB_COMMIT_STEP_MAX = (size_t)8 << 20;
static const size_t MB_COMMIT_STEP_LARGE_MAX = (size_t)64 << 20; // of a heap of gigabytes

// Giving back: what a process without the background thread may keep (core/region/margin.h), and how much is given back
// at once at least.
enum {
    MB_MARGIN_MIN_UNITS = 2 << 20 >> MB_UNIT_SHIFT,
    MB_MARGIN_WARM_UNITS = (16 << 20 >> MB_UNIT_SHIFT) + 1, // the most in free spans: one of 16 MiB and a guard page
    MB_MARGIN_KEPT_UNITS = 40 << 20 >> MB_UNIT_SHIFT,       // the most in large blocks that are kept whole for everybody
    MB_MARGIN_MORE_UNITS = 64 << 20 >> MB_UNIT_SHIFT,       // the most that either grows by, or a quarter of the heap
    MB_PURGE_CALL_UNITS = 1 << 20 >> MB_UNIT_SHIFT,
};

#endif
