// The statistics of the allocator: one line each, from which come the record, its printed forms and the manual page.
//
// What: X(name, kind, help). A GAUGE is as it is now, a COUNTER grows from the start on, a PART is a gauge that adds up
// with the other parts to resident_bytes. An ESTIMATE is 0 where there is none, as without a heap profile; the written
// forms leave it out then. Numbers are exact when no thread is inside the allocator; otherwise a near picture.
// Who: constant; a record is its caller's own.
#ifndef MB_CORE_TOLD_STATISTICS_H
#define MB_CORE_TOLD_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#define MB_STATISTICS_TABLE(X)                                                                                                             \
    X(resident_bytes, GAUGE, "memory of the library that has pages now: the sum of the next seven")                                        \
    X(live_resident_bytes, PART, "in live blocks")                                                                                         \
    X(part_free_bytes, PART, "in free blocks beside live ones on the same page; cannot be given back")                                     \
    X(idle_page_bytes, PART, "in pages of slabs that hold no live block; given back when they stay so")                                    \
    X(kept_bytes, PART, "in large blocks that were freed and are kept whole for the next request")                                         \
    X(dirty_bytes, PART, "in free spans whose pages were not given back yet")                                                              \
    X(tail_bytes, PART, "behind the last block of a span, where no block fits")                                                            \
    X(metadata_bytes, PART, "in descriptors, bit maps and the records of threads")                                                         \
    X(live_bytes, GAUGE, "usable size of all live blocks, touched or not")                                                                 \
    X(live_blocks, GAUGE, "their number")                                                                                                  \
    X(large_live_bytes, GAUGE, "the part of live_bytes in blocks that are no slab's")                                                      \
    X(large_live_blocks, GAUGE, "their number")                                                                                            \
    X(free_block_bytes, GAUGE, "usable size of the free blocks of slabs, touched or not")                                                  \
    X(committed_bytes, GAUGE, "what the system counts as promised to the library's blocks")                                                \
    X(reserved_bytes, GAUGE, "address space held, metadata included")                                                                      \
    X(allocations, COUNTER, "blocks handed to the program")                                                                                \
    X(large_allocations, COUNTER, "the part of them that is no slab's")                                                                    \
    X(frees, COUNTER, "blocks that came back")                                                                                             \
    X(spans_taken, COUNTER, "spans taken for slabs and large blocks")                                                                      \
    X(fresh_bytes, COUNTER, "memory without pages that was taken into use: first use, or given back before")                               \
    X(purged_bytes, COUNTER, "memory given back to the system")                                                                            \
    X(page_faults, COUNTER, "of the whole process")                                                                                        \
    X(threads, GAUGE, "threads that have a heap")                                                                                          \
    X(threads_ever, COUNTER, "heaps ever made")                                                                                            \
    X(sleeping_threads, GAUGE, "threads that took no block since the last statistics but one second ago or more")                          \
    X(sleeping_free_bytes, GAUGE, "free memory that these hold")                                                                           \
    X(top_class_block_bytes, GAUGE, "the block size whose slabs hold most free memory")                                                    \
    X(top_class_free_bytes, GAUGE, "what they hold")                                                                                       \
    X(top_thread_free_bytes, GAUGE, "the most that one thread holds in free memory")                                                       \
    X(residency_measured, GAUGE,                                                                                                           \
      "1: the system said which pages are there; 0: it refused, and pages once used are counted as being there")                           \
    X(mistakes, COUNTER, "of the program with pointers, which it has survived: option on_error")                                           \
    X(requested_bytes, ESTIMATE, "asked for in live blocks, estimated from the samples of the heap profile since its start")               \
    X(refills, COUNTER, "times that malloc had no block of a size at hand and took the next ones of a slab, at most 64")                   \
    X(remote_frees, COUNTER, "blocks freed by another thread than the one whose they were; not those that all threads share")              \
    X(rounding_bytes, ESTIMATE,                                                                                                            \
      "what rounding up to block sizes costs: live_bytes less requested_bytes, of a heap profile from the start on")

enum mb_statistics_kind { MB_STATISTICS_GAUGE, MB_STATISTICS_PART, MB_STATISTICS_COUNTER, MB_STATISTICS_ESTIMATE };

// `size` is what its user's compiler said; a later library may know more fields, and fills those that fit.
struct mb_statistics {
    size_t size;
#define MB_STATISTICS_FIELD(name, kind, help) uint64_t name;
    MB_STATISTICS_TABLE(MB_STATISTICS_FIELD)
#undef MB_STATISTICS_FIELD
};

// What one thread holds.
struct mb_thread_statistics {
    uint32_t thread; // the kernel's number
    uint32_t spare;
    uint64_t free_bytes;  // resident, in its slabs
    uint64_t allocations; // by its heap, which may have been another thread's before
};

// In which form statistics are written.
enum mb_statistics_format { MB_STATISTICS_TEXT, MB_STATISTICS_JSON, MB_STATISTICS_PROMETHEUS };

// What the slabs of one size class hold.
struct mb_class_statistics {
    uint32_t block_bytes;
    uint32_t slabs;
    uint64_t live_blocks, free_blocks;
    uint64_t resident_bytes;
    uint64_t live_resident_bytes;
};

#endif
