// The figures from which mallinfo and its kin are made.
#ifndef MB_CORE_TOLD_STATS_H
#define MB_CORE_TOLD_STATS_H

#include <stddef.h>
#include <stdint.h>

// Byte counts are exact when no other thread is inside the allocator; otherwise they are approximate.
struct mb_stats {
    size_t live_bytes;        // sum of the usable sizes of live blocks
    size_t live_blocks;       // their number
    size_t large_bytes;       // the part of live_bytes in large blocks
    size_t large_blocks;      //   and their number
    size_t committed_bytes;   // arena memory that may be touched
    size_t reserved_bytes;    // address space held, metadata included
    size_t warm_free_bytes;   // free spans whose pages have not been given back
    size_t slab_bytes;        // bytes of the spans that hold slabs
    size_t slabs;             // number of slabs
    size_t metadata_bytes;    // committed for descriptors, heaps and tables
    size_t huge_wished_bytes; // for which huge pages are asked, used or free
    size_t heaps;             // thread heaps in use
    size_t heaps_ever;        // thread heaps ever made
    uint64_t blocks_served;   // small blocks handed to the program since the start
    uint64_t large_served;    // large blocks handed out since the start
    uint64_t spans_taken;     // spans taken from the arena since the start
    uint64_t purged_bytes;    // given back to the system since the start
    uint64_t outside_bytes;   // live bytes in blocks outside the arena's window
    size_t free_blocks;       // blocks of slabs that are free, or were never handed out
    size_t free_block_bytes;  //   and their bytes
    size_t large_blocks_max;  // the most large blocks that there have been at once, those kept for reuse included
    size_t large_bytes_max;   //   the same of their bytes
};

#endif
